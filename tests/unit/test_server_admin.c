/* The admin member over both of its sockets, and the client for programs.
 * SPDX-License-Identifier: MIT */
#include "test_server_stage.h"

static char text[1 << 18];

static int status_of(const char *answer) {
    int status = 0;
    sscanf(answer, "HTTP/1.1 %d", &status);
    return status;
}

/* Sends a request over TCP with these header lines; the answer is in `text`. */
static int over_tcp(const char *method, const char *path, const char *lines) {
    char request[1024];
    snprintf(request, sizeof request,
             "%s %s HTTP/1.1\r\n%sConnection: close\r\n"
             "\r\n",
             method, path, lines);
    stage_http(stage_now->admin, request, text, sizeof text);
    return status_of(text);
}

static void health_ready_and_status_answer(void **state) {
    (void)state;
    tw_master_config config = stage_config(2);
    stage_run(&config);
    assert_int_equal(stage_ask("GET", "/health", text, sizeof text), 200);
    assert_string_equal(text, "{\"status\":\"ok\"}\n");
    STAGE_UNTIL(stage_ask("GET", "/ready", text, sizeof text) == 200);
    assert_non_null(strstr(text, "\"ready\":true"));
    assert_int_equal(stage_ask("GET", "/api/status", text, sizeof text), 200);
    assert_non_null(strstr(text, "{\"version\":\"1.2.3\",\"runtime_dir\":\""));
    assert_non_null(strstr(text, "\"generation\":1,\"draining\":false"));
    char listens[512];
    snprintf(listens, sizeof listens, "\"addresses\":[\"%s\"],\"admin\":\"%s\"",
             stage_now->address[0], stage_now->admin);
    assert_non_null(strstr(text, listens));
    assert_int_equal(over_tcp("GET", "/health", "Host: localhost\r\n"), 200);
    assert_int_equal(stage_end(), 0);
}

static void a_worker_that_stands_still_is_seen_by_its_canary(void **state) {
    (void)state;
    tw_master_config config = stage_config(3);
    stage_run(&config);
    STAGE_UNTIL(stage_ask("GET", "/ready", text, sizeof text) == 200);
    assert_non_null(strstr(text, "\"canaries_returned\":3"));
    pid_t pid = (pid_t)stage_fact(2, "pid");
    kill(pid, SIGSTOP);
    STAGE_UNTIL(stage_ask("GET", "/ready", text, sizeof text) == 503 &&
                strstr(text, "\"canaries_returned\":2") != NULL);
    assert_non_null(strstr(text, "\"workers_ready\":3"));
    kill(pid, SIGCONT);
    STAGE_UNTIL(stage_ask("GET", "/ready", text, sizeof text) == 200);
    kill(pid, SIGKILL); /* its replacement gets the interest again */
    STAGE_UNTIL(stage_fact(2, "incarnation") == 2);
    STAGE_UNTIL(stage_ask("GET", "/ready", text, sizeof text) == 200);
    assert_int_equal(stage_end(), 0);
}

static void unknown_paths_and_wrong_methods_are_told_apart(void **state) {
    (void)state;
    tw_master_config config = stage_config(1);
    stage_run(&config);
    assert_int_equal(stage_ask("GET", "/nothing", text, sizeof text), 404);
    assert_non_null(strstr(text, "{\"error\":{\"code\":\"not_found\""));
    assert_int_equal(stage_ask("GET", "/api/reload", text, sizeof text), 405);
    assert_int_equal(over_tcp("DELETE", "/metrics", "Host: localhost\r\n"),
                     405);
    assert_non_null(strstr(text, "Allow: GET, HEAD"));
    assert_int_equal(over_tcp("HEAD", "/metrics", "Host: localhost\r\n"), 200);
    assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n");
    assert_int_equal(stage_end(), 0);
}

static void changes_over_tcp_are_refused(void **state) {
    (void)state;
    tw_master_config config = stage_config(1);
    stage_run(&config);
    assert_int_equal(over_tcp("POST", "/api/reload", "Host: localhost\r\n"),
                     403);
    assert_int_equal(over_tcp("POST", "/api/drain",
                              "Host: localhost\r\n"
                              "Authorization: Bearer \r\n"),
                     403);
    assert_int_equal(stage_now->prepares[0], 0);
    assert_int_equal(stage_end(), 0);
}

static void the_right_token_lets_changes_in(void **state) {
    (void)state;
    tw_master_config config = stage_config(1);
    config.admin_token = "wave";
    stage_run(&config);
    assert_int_equal(over_tcp("POST", "/api/reload",
                              "Host: localhost\r\n"
                              "Authorization: Bearer wavy\r\n"),
                     403);
    assert_int_equal(over_tcp("POST", "/api/reload",
                              "Host: localhost\r\n"
                              "Authorization: Bearer wave\r\n"),
                     200);
    assert_non_null(strstr(text, "{\"generation\":2}"));
    assert_int_equal(stage_end(), 0);
}

static void web_pages_cannot_look(void **state) {
    (void)state;
    tw_master_config config = stage_config(1);
    stage_run(&config);
    assert_int_equal(over_tcp("GET", "/api/status", "Host: evil.example\r\n"),
                     421);
    assert_int_equal(over_tcp("GET", "/api/status",
                              "Host: localhost\r\n"
                              "Origin: http://evil.example\r\n"),
                     403);
    assert_int_equal(stage_end(), 0);
}

static void the_metrics_are_clean_and_complete(void **state) {
    (void)state;
    tw_master_config config = stage_config(2);
    stage_run(&config);
    assert_int_equal(stage_ask("GET", "/metrics", text, sizeof text), 200);
    assert_non_null(strstr(text, "tidewire_up{slot=\"1\"} 1\n"));
    assert_non_null(strstr(text, "tidewire_accepted_total{slot=\"0\"} 0\n"));
    assert_non_null(strstr(text, "tidewire_generation{slot=\"1\"} 1\n"));
    assert_non_null(strstr(text, "tidewire_build_info{version=\"1.2.3\"} 1\n"));
    assert_int_equal(stage_end(), 0);
}

static void counters_survive_the_death_of_their_worker(void **state) {
    (void)state;
    tw_master_config config = stage_config(1);
    stage_run(&config);
    int slot, version, incarnation, fd = stage_connect(stage_now->address[0]);
    stage_who(fd, &slot, &version, &incarnation);
    close(fd);
    kill((pid_t)stage_fact(0, "pid"), SIGKILL);
    STAGE_UNTIL(stage_fact(0, "incarnation") == 2);
    assert_int_equal(stage_ask("GET", "/metrics", text, sizeof text), 200);
    assert_non_null(
        strstr(text, "tidewire_http_requests_total{slot=\"0\"} 1\n"));
    assert_non_null(strstr(text, "tidewire_restarts_total{slot=\"0\"} 1\n"));
    assert_int_equal(stage_end(), 0);
}

static void requests_behind_one_another_are_answered_in_order(void **state) {
    (void)state;
    tw_master_config config = stage_config(1);
    stage_run(&config);
    STAGE_UNTIL(stage_ask("GET", "/ready", text, sizeof text) == 200);
    int fd = stage_connect(stage_now->admin);
    stage_send(fd, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
                   "GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n"
                   "GET /ready HTTP/1.1\r\nHost: localhost\r\n"
                   "Connection: close\r\n\r\n");
    stage_read(fd, NULL, text, sizeof text);
    close(fd);
    char *first = strstr(text, "\"status\":\"ok\"");
    char *second = strstr(text, "not_found");
    char *third = strstr(text, "\"ready\":true");
    assert_true(first != NULL && second > first && third > second);
    assert_int_equal(stage_end(), 0);
}

static void a_request_byte_by_byte_is_answered(void **state) {
    (void)state;
    const char *request = "POST /health HTTP/1.1\r\nHost: [::1]:80\r\n"
                          "Content-Length: 3\r\nConnection: close\r\n\r\nabc";
    tw_master_config config = stage_config(1);
    stage_run(&config);
    int fd = stage_connect(stage_now->admin);
    for (const char *at = request; *at != '\0'; at++) {
        char byte[2] = {*at, '\0'};
        stage_send(fd, byte);
    }
    stage_read(fd, NULL, text, sizeof text);
    assert_int_equal(status_of(text), 405);
    close(fd);
    assert_int_equal(stage_end(), 0);
}

static void what_is_not_http_is_refused_and_closed(void **state) {
    (void)state;
    tw_master_config config = stage_config(1);
    stage_run(&config);
    stage_http(stage_now->admin, "hello\r\n\r\n", text, sizeof text);
    assert_int_equal(status_of(text), 400);
    static char large[20000];
    int len =
        snprintf(large, sizeof large, "GET /health HTTP/1.1\r\nHost: a\r\nX: ");
    memset(large + len, 'x', sizeof large - (size_t)len - 1);
    stage_http(stage_now->admin, large, text, sizeof text);
    assert_int_equal(status_of(text), 431);
    assert_int_equal(stage_end(), 0);
}

static void
too_many_connections_are_closed_and_the_others_served(void **state) {
    (void)state;
    tw_master_config config = stage_config(1);
    stage_run(&config);
    int fds[70];
    for (int i = 0; i < 70; i++) {
        fds[i] = stage_connect(stage_now->admin);
        struct pollfd ready = {fds[i], POLLOUT, 0};
        assert_int_equal(poll(&ready, 1, STAGE_WAIT_MS), 1);
    }
    stage_send(fds[47], "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stage_read(fds[47], "ok\"}", text, sizeof text);
    assert_int_equal(status_of(text), 200);
    stage_read(fds[69], NULL, text, sizeof text);
    assert_string_equal(text, "");
    /* There is room left for the operator. */
    assert_int_equal(stage_ask("GET", "/health", text, sizeof text), 200);
    for (int i = 0; i < 70; i++) {
        close(fds[i]);
    }
    assert_int_equal(stage_end(), 0);
}

static void asking_for_a_drain_drains(void **state) {
    (void)state;
    tw_master_config config = stage_config(2);
    config.stop_ms = 3600000; /* until the second signal */
    stage_run(&config);
    stage_now->stop_later = 1;
    assert_int_equal(stage_ask("POST", "/api/drain", text, sizeof text), 202);
    STAGE_UNTIL(stage_now->stops[0] == 1);
    assert_int_equal(stage_ask("GET", "/ready", text, sizeof text), 503);
    assert_non_null(strstr(text, "\"draining\":true"));
    assert_int_equal(stage_ask("POST", "/api/reload", text, sizeof text), 409);
    kill(stage_master, SIGTERM);
    assert_int_equal(stage_wait(), 0);
}

static void the_client_finds_the_only_server_and_lists_several(void **state) {
    (void)state;
    int status;
    char *body = NULL, why[1024];
    assert_int_equal(tw_admin_request(NULL, "GET", "/health", 0, &status, &body,
                                      why, sizeof why),
                     TW_ENOT_FOUND);
    assert_string_equal(why, "no server of this user is running");
    tw_master_config config = stage_config(1);
    stage_run(&config);
    assert_int_equal(tw_admin_request(NULL, "GET", "/health", 0, &status, &body,
                                      why, sizeof why),
                     0);
    assert_int_equal(status, 200);
    tw_admin_free(body);

    pid_t first = stage_master;
    int first_alive = stage_alive;
    char first_dir[128], chosen[128];
    strcpy(first_dir, stage_now->dir);
    stage_now->is_ready = 0;
    snprintf(chosen, sizeof chosen, "%s/chosen", stage_home);
    config.runtime_dir = chosen;
    stage_run(&config);
    assert_int_equal(tw_admin_request(NULL, "GET", "/health", 0, &status, &body,
                                      why, sizeof why),
                     TW_EEXISTS);
    assert_non_null(strstr(why, first_dir));
    assert_non_null(strstr(why, chosen));
    assert_int_equal(tw_admin_request(chosen, "GET", "/health", 0, &status,
                                      &body, why, sizeof why),
                     0);
    tw_admin_free(body);
    assert_int_equal(stage_end(), 0);
    stage_master = first;
    stage_alive = first_alive;
    assert_int_equal(stage_end(), 0);
    assert_int_equal(tw_admin_request(chosen, "GET", "/health", 0, &status,
                                      &body, why, sizeof why),
                     TW_ENOT_FOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        STAGE_TEST(health_ready_and_status_answer),
        STAGE_TEST(a_worker_that_stands_still_is_seen_by_its_canary),
        STAGE_TEST(unknown_paths_and_wrong_methods_are_told_apart),
        STAGE_TEST(changes_over_tcp_are_refused),
        STAGE_TEST(the_right_token_lets_changes_in),
        STAGE_TEST(web_pages_cannot_look),
        STAGE_TEST(the_metrics_are_clean_and_complete),
        STAGE_TEST(counters_survive_the_death_of_their_worker),
        STAGE_TEST(requests_behind_one_another_are_answered_in_order),
        STAGE_TEST(a_request_byte_by_byte_is_answered),
        STAGE_TEST(what_is_not_http_is_refused_and_closed),
        STAGE_TEST(too_many_connections_are_closed_and_the_others_served),
        STAGE_TEST(asking_for_a_drain_drains),
        STAGE_TEST(the_client_finds_the_only_server_and_lists_several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
