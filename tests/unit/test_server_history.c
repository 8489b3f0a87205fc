/* What is kept of a channel, for those who ask; and publications whose
 * publisher waits to hear where they stand.
 * SPDX-License-Identifier: MIT */
#include "recover_probe.h"

static const tw_class_config kept = {
    .pattern = "room", .history = 10, .retain = 5};

/* ---- asking ---- */

static struct {
    int calls, status;
    tw_position position;
    bool recovered;
    char items[2048]; /* "offset:text " each */
} heard;

static void on_history(int status, const tw_history *history, void *arg) {
    char *at = heard.items;
    (void)arg;
    heard.calls++;
    heard.status = status;
    *at = '\0';
    if (history == NULL) {
        return;
    }
    heard.position = history->position;
    heard.recovered = history->recovered;
    for (size_t i = 0; i < history->count; i++) {
        const tw_publication *item = &history->items[i];
        assert_string_equal(item->channel.data, "room");
        at += sprintf(at, "%llu%s%.*s:%.*s ", (unsigned long long)item->offset,
                      item->key.len > 0 ? "/" : "", (int)item->key.len,
                      item->key.len > 0 ? item->key.data : "", (int)item->len,
                      (const char *)item->data);
    }
}

static void ask(world *w, const tw_history_options *options,
                const char *expected, bool recovered) {
    heard.calls = 0;
    assert_int_equal(tw_channel_history(w->server, str_of("room"), options,
                                        on_history, NULL),
                     0);
    assert_int_equal(heard.calls, 0);
    world_until(w, heard.calls > 0);
    assert_int_equal(heard.status, 0);
    assert_string_equal(heard.items, expected);
    assert_int_equal(heard.recovered, recovered);
}

static void latest(world *w, const char *key, const char *expected) {
    heard.calls = 0;
    assert_int_equal(tw_channel_latest(w->server, str_of("room"), str_of(key),
                                       on_history, NULL),
                     0);
    world_until(w, heard.calls > 0);
    assert_int_equal(heard.status, 0);
    assert_string_equal(heard.items, expected);
}

static void it_is_read_from_both_ends_in_pages(void **state) {
    world w;
    (void)state;
    recover_open(&w, &kept);
    publish_numbers(&w, "room", 1, 5);
    ask(&w, NULL, "1:n1 2:n2 3:n3 4:n4 5:n5 ", false);
    assert_int_equal(heard.position.offset, 5);
    tw_history_options options = {.limit = 2};
    ask(&w, &options, "1:n1 2:n2 ", false);
    options.has_since = true;
    options.since = heard.position;
    options.since.offset = 2;
    ask(&w, &options, "3:n3 4:n4 ", true);
    options.since.offset = 5;
    ask(&w, &options, "", true);
    options.since.offset = 6; /* of the future */
    ask(&w, &options, "", false);
    options = (tw_history_options){.limit = 2, .reverse = true};
    ask(&w, &options, "5:n5 4:n4 ", false);
    options.has_since = true;
    options.since = heard.position;
    options.since.offset = 4;
    ask(&w, &options, "3:n3 2:n2 ", true);
    options.since.offset = 1;
    ask(&w, &options, "", true);
    options.since.epoch[0] ^= 1;
    ask(&w, &options, "", false);
    world_close(&w);
}

static void what_is_gone_is_told(void **state) {
    world w;
    (void)state;
    recover_open(&w, &kept);
    publish_numbers(&w, "room", 1, 12);
    tw_history_options options = {.limit = 2};
    ask(&w, &options, "3:n3 4:n4 ", false);
    options.has_since = true;
    options.since = heard.position;
    options.since.offset = 1;
    ask(&w, &options, "3:n3 4:n4 ", false);
    options.since.offset = 2;
    ask(&w, &options, "3:n3 4:n4 ", true);
    options.reverse = true;
    options.since.offset = 5;
    ask(&w, &options, "4:n4 3:n3 ", false); /* what is before is gone */
    world_close(&w);
}

static void a_channel_without_any_has_none(void **state) {
    world w;
    (void)state;
    recover_open(&w, &(tw_class_config){.pattern = "else", .history = 3});
    publish_numbers(&w, "room", 1, 2);
    ask(&w, NULL, "", false);
    assert_string_equal(heard.position.epoch, "");
    latest(&w, "a", "");
    world_close(&w);
}

static void questions_are_checked(void **state) {
    char name[300];
    world w;
    tw_history_options options = {.limit = 1001};
    (void)state;
    memset(name, 'x', sizeof name);
    recover_open(&w, &kept);
    tw_str longer = {name, 256};
    heard.calls = 0;
    assert_int_equal(tw_channel_history(w.server, str_of("room"), &options,
                                        on_history, NULL),
                     TW_EINVALID);
    assert_int_equal(
        tw_channel_history(w.server, str_of(""), NULL, on_history, NULL),
        TW_EINVALID);
    assert_int_equal(
        tw_channel_history(w.server, longer, NULL, on_history, NULL),
        TW_EINVALID);
    assert_int_equal(
        tw_channel_latest(w.server, str_of("room"), longer, on_history, NULL),
        TW_EINVALID);
    assert_int_equal(
        tw_channel_latest(w.server, longer, str_of("a"), on_history, NULL),
        TW_EINVALID);
    assert_int_equal(tw_channel_remove(w.server, str_of(""), str_of("a")),
                     TW_EINVALID);
    assert_int_equal(tw_channel_remove(w.server, longer, str_of("a")),
                     TW_EINVALID);
    assert_int_equal(tw_channel_remove(w.server, str_of("room"), longer),
                     TW_EINVALID);
    world_rest(&w);
    assert_int_equal(heard.calls, 0);
    world_close(&w);
}

static void the_newest_of_a_key_is_found_and_forgotten(void **state) {
    world w;
    (void)state;
    recover_open(&w, &kept);
    publish_keyed(&w, "room", "a", "a1");
    publish_keyed(&w, "room", "b", "b1");
    publish_keyed(&w, "room", "a", "a2");
    publish_keyed(&w, "room", "", "none");
    latest(&w, "a", "3/a:a2 ");
    latest(&w, "b", "2/b:b1 ");
    latest(&w, "", "4:none ");
    latest(&w, "c", "");
    assert_int_equal(tw_channel_remove(w.server, str_of("room"), str_of("a")),
                     0);
    world_rest(&w);
    latest(&w, "a", "");
    latest(&w, "b", "2/b:b1 ");
    client *c = client_open(&w);
    tw_subscribed got = recover_subscribe(&w, 1, "room", NULL);
    assert_told(&got, 4, false, 2);
    expect_text(&w, c, "b1");
    expect_text(&w, c, "none");
    expect_nothing(&w, c);
    world_close(&w);
}

static void questions_end_with_the_server(void **state) {
    world w;
    (void)state;
    recover_open(&w, &kept);
    publish_numbers(&w, "room", 1, 2);
    heard.calls = 0;
    assert_int_equal(
        tw_channel_history(w.server, str_of("room"), NULL, on_history, NULL),
        0);
    world_close(&w);
    assert_int_equal(heard.calls, 1);
}

/* ---- publishing, and waiting ---- */

static struct {
    int calls, status;
    tw_position position;
} stood;

static void on_published(int status, const tw_position *position, void *arg) {
    (void)arg;
    stood.calls++;
    stood.status = status;
    assert_int_equal(position != NULL, status == 0);
    if (position != NULL) {
        stood.position = *position;
    }
}

static void publish_waiting(world *w, const char *channel, const char *text,
                            const tw_publish_options *options,
                            uint64_t offset) {
    stood.calls = 0;
    assert_int_equal(tw_publish_wait(w->server, str_of(channel), text,
                                     strlen(text), options, on_published, NULL),
                     0);
    assert_int_equal(stood.calls, 0);
    world_until(w, stood.calls > 0);
    assert_int_equal(stood.status, 0);
    assert_int_equal(stood.position.offset, offset);
}

static void a_publisher_hears_where_it_stands(void **state) {
    world w;
    (void)state;
    recover_open(&w, &kept);
    client *c = client_open(&w);
    tw_subscribed got = recover_subscribe(&w, 1, "room", NULL);
    publish_waiting(&w, "room", "n1", NULL, 1);
    assert_string_equal(stood.position.epoch, got.position.epoch);
    publish_waiting(&w, "room", "n2", NULL, 2);
    tw_publish_options options = {.no_history = true};
    publish_waiting(&w, "room", "typing", &options, 0);
    expect_numbers(&w, c, 1, 2);
    expect_text(&w, c, "typing");
    publish_waiting(&w, "other", "n1", NULL, 0); /* not kept */
    assert_string_equal(stood.position.epoch, "");
    ask(&w, NULL, "1:n1 2:n2 ", false);
    world_close(&w);
}

static void what_is_published_twice_with_an_id_is_published_once(void **state) {
    world w;
    (void)state;
    recover_open(&w, &kept);
    client *c = client_open(&w);
    recover_subscribe(&w, 1, "room", NULL);
    tw_publish_options options = {.id = str_of("order-1")};
    publish_waiting(&w, "room", "n1", &options, 1);
    publish_waiting(&w, "room", "n2", NULL, 2);
    publish_waiting(&w, "room", "n1 again", &options, 1);
    assert_int_equal(
        tw_publish(w.server, str_of("room"), "n1 again", 8, &options), 0);
    options.id = str_of("order-2");
    publish_waiting(&w, "room", "n3", &options, 3);
    expect_numbers(&w, c, 1, 3);
    expect_nothing(&w, c);
    ask(&w, NULL, "1:n1 2:n2 3:n3 ", false);
    world_close(&w);
}

static void what_is_wrong_is_not_waited_for(void **state) {
    char name[300];
    world w;
    (void)state;
    memset(name, 'x', sizeof name);
    recover_open(&w, &kept);
    tw_publish_options options = {.id = {name, 256}};
    stood.calls = 0;
    assert_int_equal(tw_publish_wait(w.server, str_of("room"), "x", 1, &options,
                                     on_published, NULL),
                     TW_EINVALID);
    assert_int_equal(
        tw_publish_wait(w.server, str_of(""), "x", 1, NULL, on_published, NULL),
        TW_EINVALID);
    assert_int_equal(tw_publish_wait(w.server, str_of("room"), "\xff", 1, NULL,
                                     on_published, NULL),
                     TW_EINVALID);
    world_rest(&w);
    assert_int_equal(stood.calls, 0);
    world_close(&w);
}

static void who_waits_hears_of_the_end(void **state) {
    world w;
    (void)state;
    recover_open(&w, &kept);
    stood.calls = 0;
    assert_int_equal(tw_publish_wait(w.server, str_of("room"), "x", 1, NULL,
                                     on_published, NULL),
                     0);
    world_close(&w);
    assert_int_equal(stood.calls, 1);
}

static void without_memory_nothing_is_left_behind(void **state) {
    world w;
    (void)state;
    recover_open(&w, &kept);
    publish_numbers(&w, "room", 1, 3);
    for (size_t n = 1; n < 40; n++) {
        heard.calls = stood.calls = 0;
        tw__alloc_fail_nth(n);
        int asked = tw_channel_history(w.server, str_of("room"), NULL,
                                       on_history, NULL);
        int waits = tw_publish_wait(w.server, str_of("room"), "x", 1, NULL,
                                    on_published, NULL);
        world_turns(&w, 3);
        tw__alloc_fail_nth(0);
        world_rest(&w);
        assert_int_equal(heard.calls, asked == 0);
        assert_int_equal(stood.calls, waits == 0);
        assert_true(asked == 0 || asked == TW_ENOMEM);
        assert_true(waits == 0 || waits == TW_ENOMEM);
    }
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_read_from_both_ends_in_pages),
        cmocka_unit_test(what_is_gone_is_told),
        cmocka_unit_test(a_channel_without_any_has_none),
        cmocka_unit_test(questions_are_checked),
        cmocka_unit_test(the_newest_of_a_key_is_found_and_forgotten),
        cmocka_unit_test(questions_end_with_the_server),
        cmocka_unit_test(a_publisher_hears_where_it_stands),
        cmocka_unit_test(what_is_published_twice_with_an_id_is_published_once),
        cmocka_unit_test(what_is_wrong_is_not_waited_for),
        cmocka_unit_test(who_waits_hears_of_the_end),
        cmocka_unit_test(without_memory_nothing_is_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
