/* The public addresses as the program takes them apart: who may connect to a
 * Unix socket, and OCSP responses.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "../../lua/program/config.c"
#include "../../lua/program/listen.c"
#include "../../lua/program/listen_tls.c"
#include "../../lua/program/listen_unix.c"
#include "../../lua/program/nearest.c"
#include "../../lua/program/option.c"
#include "../../lua/program/redis_paths.c"
#include "../../lua/program/secret.c"
#include "../../lua/program/settings.c"
#include "../../lua/program/text.c"
#include "../../lua/program/trust.c"
#include "tidewire/lua_config.h"

typedef struct fixture {
    twp_settings settings;
    twp_text problems;
    twp_listen listen;
} fixture;

static int set_up(void **state) {
    static fixture f;
    memset(&f, 0, sizeof f);
    twp_settings_init(&f.settings);
    *state = &f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    twp_listen_deinit(&f->listen);
    twp_settings_deinit(&f->settings);
    twp_text_deinit(&f->problems);
    return 0;
}

static void flag(fixture *f, const char *text) {
    twp_why why;
    assert_null(twp_settings_set(&f->settings, TWP_LISTEN_OPTION, TWP_FROM_FLAG,
                                 text, &why));
}

static void file(fixture *f, const char *json) {
    twp_config_take(&f->settings, "/etc/tw/config.lua", json, &f->problems);
}

static const char *take(fixture *f) {
    twp_listen_init(&f->listen, &f->settings, &f->problems);
    return f->problems.data != NULL ? f->problems.data : "";
}

static void assert_shared(const fixture *f, size_t i, const char *address,
                          unsigned mode, const char *group) {
    const tw_listen_options *options = &f->listen.options[i];
    assert_string_equal(f->listen.addresses[i], address);
    assert_int_equal(options->mode, mode);
    if (group == NULL) {
        assert_null(options->group);
    } else {
        assert_string_equal(options->group, group);
    }
    assert_null(options->tls);
}

static void a_unix_address_may_say_who_connects(void **state) {
    fixture *f = *state;
    flag(f, "unix:/run/a.sock");
    flag(f, "unix:/run/b.sock,mode=0660");
    flag(f, "unix:/run/c.sock,group=www-data");
    flag(f, "unix:/run/d.sock,mode=660,group=33");
    flag(f, "unix:/run/e.sock,group=web,mode=0777");
    flag(f, "unix:/run/with,comma,mode=0600");
    assert_string_equal(take(f), "");
    assert_shared(f, 0, "unix:/run/a.sock", 0, NULL);
    assert_shared(f, 1, "unix:/run/b.sock", 0660, NULL);
    assert_shared(f, 2, "unix:/run/c.sock", 0, "www-data");
    assert_shared(f, 3, "unix:/run/d.sock", 0660, "33");
    assert_shared(f, 4, "unix:/run/e.sock", 0777, "web");
    assert_shared(f, 5, "unix:/run/with,comma", 0600, NULL);
}

static void a_table_may_say_so_in_keys(void **state) {
    fixture *f = *state;
    file(f, "{\"listen\": [{\"address\": \"unix:/run/a.sock\", "
            "\"mode\": \"0660\", \"group\": \"web\"}, "
            "{\"address\": \"unix:/run/b.sock,mode=0666\"}]}");
    assert_string_equal(take(f), "");
    assert_shared(f, 0, "unix:/run/a.sock", 0660, "web");
    assert_shared(f, 1, "unix:/run/b.sock", 0666, NULL);
}

static void mistakes_are_named(void **state) {
    static const struct {
        const char *json, *why;
    } cases[] = {
        {"\"unix:/a,mode=0060\"", "mode: must be text from"},
        {"\"unix:/a,mode=0400\"", "mode: must be text from"},
        {"\"unix:/a,mode=1777\"", "mode: must be text from"},
        {"\"unix:/a,mode=rw\"", "mode: must be text from"},
        {"\"unix:/a,mode=\"", "mode: must be text from"},
        {"\"unix:/a,mode=06600\"", "mode: must be text from"},
        {"\"unix:/a,group=\"", "group: must be a name"},
        {"\"unix:/a,mdoe=0660\"", "'mdoe=0660' is neither mode=..."},
        {"\"unix:/a,mode=0660,owner=me\"", "'owner=me' is neither mode=..."},
        {"{\"address\": \"unix:/a\", \"mode\": 432}", "mode: must be text"},
        {"{\"address\": \"unix:/a\", \"group\": 33}", "group: must be a"},
        {"{\"address\": \"unix:/a\", \"mod\": \"0660\"}",
         "did you mean 'mode'?"},
        {"{\"address\": \"1.1.1.1:1\", \"mode\": \"0660\"}",
         "are for Unix sockets"},
        {"{\"address\": \"1.1.1.1:1\", \"group\": \"web\"}",
         "are for Unix sockets"},
    };
    fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char json[256];
        snprintf(json, sizeof json, "{\"listen\": [%s]}", cases[i].json);
        file(f, json);
        const char *problems = take(f);
        if (strstr(problems, cases[i].why) == NULL) {
            fail_msg("%s: '%s' does not say '%s'", cases[i].json, problems,
                     cases[i].why);
        }
        twp_listen_deinit(&f->listen);
        f->listen = (twp_listen){0};
        twp_text_deinit(&f->problems);
        f->problems = (twp_text){0};
    }
}

static void ocsp_responses_start_at_the_files_folder(void **state) {
    fixture *f = *state;
    file(f, "{\"tls\": {\"cert\": \"a.pem\", \"ocsp\": [\"a.ocsp\", "
            "\"/b.ocsp\"]}, \"listen\": [\"1.1.1.1:1\", {\"address\": "
            "\"1.1.1.1:2\", \"tls\": {\"cert\": \"c.pem\", \"ocsp\": "
            "\"c.ocsp\"}}, {\"address\": \"1.1.1.1:3\", \"tls\": {\"cert\": "
            "\"d.pem\"}}]}");
    assert_string_equal(take(f), "");
    const tw_listen_options *options = f->listen.options;
    assert_int_equal(options[0].tls->ocsp_count, 2);
    assert_string_equal(options[0].tls->ocsp[0], "/etc/tw/a.ocsp");
    assert_string_equal(options[0].tls->ocsp[1], "/b.ocsp");
    assert_int_equal(options[1].tls->ocsp_count, 1);
    assert_string_equal(options[1].tls->ocsp[0], "/etc/tw/c.ocsp");
    assert_int_equal(options[2].tls->ocsp_count, 0);
}

static void an_ocsp_response_needs_a_certificate(void **state) {
    fixture *f = *state;
    file(f, "{\"tls\": {\"ocsp\": \"a.ocsp\"}}");
    assert_string_equal(take(f), "tls: an OCSP response and no certificate\n");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_unix_address_may_say_who_connects),
        TEST(a_table_may_say_so_in_keys),
        TEST(mistakes_are_named),
        TEST(ocsp_responses_start_at_the_files_folder),
        TEST(an_ocsp_response_needs_a_certificate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
