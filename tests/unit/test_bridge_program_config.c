/* The program's configuration file: from Lua to settings.
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
    char path[64];
} fixture;

static int set_up(void **state) {
    static fixture f;
    f = (fixture){.path = "/tmp/tw-config-XXXXXX"};
    twp_settings_init(&f.settings);
    int fd = mkstemp(f.path);
    *state = &f;
    return fd < 0 || close(fd) != 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    twp_settings_deinit(&f->settings);
    twp_text_deinit(&f->problems);
    return unlink(f->path);
}

static void write_file(const fixture *f, const char *text) {
    FILE *file = fopen(f->path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void take(fixture *f, const char *lua) {
    write_file(f, lua);
    twp_config_read(&f->settings, f->path, &f->problems);
}

static const char *problems(const fixture *f) {
    return f->problems.data != NULL ? f->problems.data : "";
}

/* The whole of what was wrong is this one line, behind the file's name. */
static void assert_problem(const fixture *f, const char *expected) {
    char line[512];
    snprintf(line, sizeof line, "%s: %s\n", f->path, expected);
    assert_string_equal(problems(f), line);
}

static double number(const fixture *f, twp_option_id id) {
    return twp_settings_number(&f->settings, id, -1);
}

/* ---- values ------------------------------------------------------------- */

static void test_each_kind_of_value_arrives(void **state) {
    fixture *f = *state;
    take(f, "return { listen = { 'a:1', 'b:2' }, workers = 3,\n"
            "  log = { level = 'warn' }, limits = { max_head = '8KiB',\n"
            "  stall = 1.5, close = '250ms' }, lua = { jit = false },\n"
            "  config = { motd = 'hi', nested = { 1, 2 } }, admin = 'off' }");
    assert_string_equal(problems(f), "");
    const twp_value *listen = &f->settings.values[TWP_LISTEN_OPTION];
    assert_int_equal(listen->count, 2);
    assert_string_equal(listen->list[1], "b:2");
    assert_true(number(f, TWP_WORKERS_OPTION) == 3);
    assert_true(number(f, TWP_MAX_HEAD_OPTION) == 8192);
    assert_int_equal(twp_settings_ms(&f->settings, TWP_STALL_OPTION), 1500);
    assert_int_equal(twp_settings_ms(&f->settings, TWP_CLOSE_OPTION), 250);
    assert_false(twp_settings_is_on(&f->settings, TWP_LUA_JIT_OPTION, true));
    assert_string_equal(twp_settings_text(&f->settings, TWP_ADMIN_OPTION),
                        "off");
    json_t *config =
        json_loads(twp_settings_text(&f->settings, TWP_CONFIG_OPTION), 0, NULL);
    assert_string_equal(json_string_value(json_object_get(config, "motd")),
                        "hi");
    assert_int_equal(json_array_size(json_object_get(config, "nested")), 2);
    json_decref(config);
}

static void test_a_list_may_be_one_text_or_empty(void **state) {
    fixture *f = *state;
    take(f, "return { listen = 'a:1', files = {} }");
    assert_string_equal(problems(f), "");
    assert_int_equal(f->settings.values[TWP_LISTEN_OPTION].count, 1);
    assert_int_equal(f->settings.values[TWP_FILES_OPTION].count, 0);
}

static void test_an_empty_table_sets_nothing(void **state) {
    fixture *f = *state;
    take(f, "return { limits = {}, config = {} }");
    assert_string_equal(problems(f), "");
    assert_false(twp_settings_has(&f->settings, TWP_MAX_HEAD_OPTION));
}

static void test_admin_false_means_off(void **state) {
    fixture *f = *state;
    take(f, "return { admin = false }");
    assert_string_equal(twp_settings_text(&f->settings, TWP_ADMIN_OPTION),
                        "off");
}

static void test_paths_start_at_the_files_folder(void **state) {
    fixture *f = *state;
    take(f, "return { script = 'app/main.lua', runtime_dir = '/run/x' }");
    assert_string_equal(twp_settings_text(&f->settings, TWP_SCRIPT_OPTION),
                        "/tmp/app/main.lua");
    assert_string_equal(twp_settings_text(&f->settings, TWP_RUNTIME_DIR_OPTION),
                        "/run/x");
}

static void test_a_flag_is_stronger_than_the_file(void **state) {
    fixture *f = *state;
    twp_why why;
    twp_settings_set(&f->settings, TWP_WORKERS_OPTION, TWP_FROM_FLAG, "5",
                     &why);
    take(f, "return { workers = 3 }");
    assert_true(number(f, TWP_WORKERS_OPTION) == 5);
}

static void test_the_environment_can_be_read(void **state) {
    fixture *f = *state;
    setenv("TW_TEST_WORKERS", "6", 1);
    take(f, "return { workers = tonumber(os.getenv('TW_TEST_WORKERS')) }");
    assert_true(number(f, TWP_WORKERS_OPTION) == 6);
}

/* ---- mistakes in the table ---------------------------------------------- */

static void test_an_unknown_key_names_the_nearest_in_its_group(void **state) {
    fixture *f = *state;
    take(f, "return { limits = { max_conections = 1 } }");
    assert_problem(f, "limits.max_conections: unknown; did you mean "
                      "'max_connections'?");
}

static void test_an_unknown_group_names_the_nearest(void **state) {
    fixture *f = *state;
    take(f, "return { limts = {} }");
    assert_problem(f, "limts: unknown; did you mean 'limits'?");
}

static void test_a_key_of_a_group_at_the_top_is_sent_there(void **state) {
    fixture *f = *state;
    take(f, "return { max_subscriptions = 5 }");
    assert_problem(f, "max_subscriptions: unknown; did you mean "
                      "'limits.max_subscriptions'?");
}

static void test_a_key_like_no_other_is_just_unknown(void **state) {
    fixture *f = *state;
    take(f, "return { zzzzzz = 5 }");
    assert_problem(f, "zzzzzz: unknown");
}

static void test_a_value_of_the_wrong_type_is_told_with_its_key(void **state) {
    fixture *f = *state;
    take(f, "return { workers = '3' }");
    assert_problem(f, "workers: must be a whole number");
}

static void test_a_number_where_a_switch_belongs_is_refused(void **state) {
    fixture *f = *state;
    take(f, "return { lua = { jit = 1 } }");
    assert_problem(f, "lua.jit: must be true or false");
}

static void test_a_number_out_of_range_is_refused(void **state) {
    fixture *f = *state;
    take(f, "return { limits = { read_turn = 1e15 } }");
    assert_problem(f, "limits.read_turn: must be 1024 to 65536 bytes");
}

static void test_a_list_has_texts_only(void **state) {
    fixture *f = *state;
    take(f, "return { files = { '/a', 3 } }");
    assert_problem(f, "files: must be text, or an array of texts");
}

static void test_a_text_with_a_zero_byte_is_refused(void **state) {
    fixture *f = *state;
    take(f, "return { node = 'a\\0b', files = { 'c\\0d' } }");
    assert_non_null(strstr(problems(f), "node: must not hold a zero byte\n"));
    assert_non_null(strstr(problems(f), "files: must not hold a zero byte\n"));
    assert_false(twp_settings_has(&f->settings, TWP_NODE_OPTION));
}

static void test_a_group_must_be_a_table(void **state) {
    fixture *f = *state;
    take(f, "return { log = 'warn' }");
    assert_problem(f, "log: must be a table with names as keys");
}

static void test_every_mistake_is_told_at_once(void **state) {
    fixture *f = *state;
    take(f, "return { workers = 'x', log = { level = 'x', formt = 'json' } }");
    assert_non_null(strstr(problems(f), "workers: must be a whole number\n"));
    assert_non_null(strstr(problems(f), "log.level: must be one of"));
    assert_non_null(strstr(problems(f), "log.formt: unknown; did you mean "
                                        "'format'?\n"));
}

/* ---- files that do not give a table ------------------------------------- */

static void test_a_syntax_error_is_told_with_its_line(void **state) {
    fixture *f = *state;
    char expected[128];
    take(f, "return {\n  workers = = 3\n}");
    snprintf(expected, sizeof expected, "%s:2: unexpected symbol near '='\n",
             f->path);
    assert_string_equal(problems(f), expected);
}

static void test_a_raise_is_told_with_its_line(void **state) {
    fixture *f = *state;
    char expected[128];
    take(f, "\nerror('no luck')");
    snprintf(expected, sizeof expected, "%s:2: no luck\n", f->path);
    assert_string_equal(problems(f), expected);
}

static void test_a_file_must_return_a_table(void **state) {
    fixture *f = *state;
    take(f, "return 3");
    assert_problem(f, "must return a table, not number");
}

static void test_a_function_in_the_table_is_told_with_its_key(void **state) {
    fixture *f = *state;
    take(f, "return { config = { f = print } }");
    assert_non_null(strstr(problems(f), "config.f"));
    assert_non_null(strstr(problems(f), "function"));
}

static void test_a_file_that_never_ends_is_stopped(void **state) {
    fixture *f = *state;
    take(f, "while true do end");
    assert_non_null(strstr(problems(f), ":1: over its CPU budget"));
}

static void test_a_file_that_takes_all_memory_is_stopped(void **state) {
    fixture *f = *state;
    take(f, "local t = {} for i = 1, 1e9 do t[i] = { i } end return t");
    assert_non_null(strstr(problems(f), "memory"));
}

static void test_a_file_that_is_not_there_is_told(void **state) {
    fixture *f = *state;
    twp_config_read(&f->settings, "/nonexistent/tw.lua", &f->problems);
    assert_string_equal(problems(f),
                        "/nonexistent/tw.lua: No such file or directory\n");
}

static void test_files_can_be_read_again_and_again(void **state) {
    fixture *f = *state;
    write_file(f, "return { workers = 3 }");
    for (int i = 0; i < 3; i++) {
        char report[TW_REPORT_MAX] = "", *json;
        assert_int_equal(tw_lua_read_config(f->path, &json, report), 0);
        assert_string_equal(json, "{\"workers\":3}");
        tw_lua_config_free(json);
    }
}

/* ---- addresses that speak TLS ---- */

static void take_json(fixture *f, const char *json) {
    twp_config_take(&f->settings, "/etc/tw/config.lua", json, &f->problems);
}

static void addresses_say_whether_they_speak_tls(void **state) {
    fixture *f = *state;
    twp_listen listen;
    take_json(f, "{\"tls\": {\"cert\": [\"a.pem\", \"/b.pem\"], \"key\": "
                 "[\"a.key\", \"b.key\"], \"client\": \"request\", "
                 "\"client_ca\": \"ca.pem\"}, \"listen\": [\"1.1.1.1:1\", "
                 "\"http://1.1.1.1:2\", \"https://1.1.1.1:3\", \"unix:/s\", "
                 "{\"address\": \"1.1.1.1:4\", \"tls\": false}, {\"address\": "
                 "\"1.1.1.1:5\", \"tls\": {\"cert\": \"own.pem\"}}]}");
    twp_listen_init(&listen, &f->settings, &f->problems);
    assert_null(f->problems.data);
    assert_int_equal(listen.count, 6);
    const tw_tls_config *tls = listen.options[0].tls;
    assert_int_equal(tls->pair_count, 2);
    assert_string_equal(tls->pairs[0].cert, "/etc/tw/a.pem");
    assert_string_equal(tls->pairs[1].cert, "/b.pem");
    assert_string_equal(tls->pairs[1].key, "/etc/tw/b.key");
    assert_int_equal(tls->client, TW_TLS_CLIENT_REQUEST);
    assert_string_equal(tls->client_ca, "/etc/tw/ca.pem");
    assert_string_equal(listen.addresses[1], "1.1.1.1:2");
    assert_null(listen.options[1].tls);
    assert_string_equal(listen.addresses[2], "1.1.1.1:3");
    assert_ptr_equal(listen.options[2].tls, tls);
    assert_null(listen.options[3].tls);
    assert_null(listen.options[4].tls);
    assert_string_equal(listen.addresses[5], "1.1.1.1:5");
    assert_string_equal(listen.options[5].tls->pairs[0].cert,
                        "/etc/tw/own.pem");
    assert_null(listen.options[5].tls->pairs[0].key);
    twp_listen_deinit(&listen);
}

static void mistakes_in_addresses_are_named(void **state) {
    static const struct {
        const char *json, *why;
    } cases[] = {
        {"[{}]", "needs an address"},
        {"[{\"address\": \"a:1\", \"tsl\": true}]", "did you mean 'tls'?"},
        {"[{\"address\": \"a:1\", \"tls\": true}]", "there is no tls.cert"},
        {"[\"https://a:1\"]", "there is no tls.cert"},
        {"[{\"address\": \"a:1\", \"tls\": 5}]", "must be a table, true"},
        {"[{\"address\": \"a:1\", \"tls\": {}}]", "cert, key and ocsp are"},
        {"[{\"address\": \"a:1\", \"tls\": {\"crt\": \"x\"}}]",
         "did you mean 'cert'?"},
        {"[{\"address\": \"a:1\", \"tls\": {\"cert\": \"x\", \"key\": "
         "[\"x\", \"y\"]}}]",
         "1 certificates and 2 keys"},
        {"[{\"address\": \"a:1\", \"tls\": {\"cert\": \"x\", \"client\": "
         "\"require\"}}]",
         "need a client_ca"},
    };
    fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char json[256];
        twp_listen listen;
        snprintf(json, sizeof json, "{\"listen\": %s}", cases[i].json);
        take_json(f, json);
        twp_listen_init(&listen, &f->settings, &f->problems);
        assert_non_null(f->problems.data);
        if (strstr(f->problems.data, cases[i].why) == NULL) {
            fail_msg("'%s' does not say '%s'", f->problems.data, cases[i].why);
        }
        twp_listen_deinit(&listen);
        twp_text_deinit(&f->problems);
        f->problems = (twp_text){0};
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(addresses_say_whether_they_speak_tls),
        TEST(mistakes_in_addresses_are_named),
        TEST(test_each_kind_of_value_arrives),
        TEST(test_a_list_may_be_one_text_or_empty),
        TEST(test_an_empty_table_sets_nothing),
        TEST(test_admin_false_means_off),
        TEST(test_paths_start_at_the_files_folder),
        TEST(test_a_flag_is_stronger_than_the_file),
        TEST(test_the_environment_can_be_read),
        TEST(test_an_unknown_key_names_the_nearest_in_its_group),
        TEST(test_an_unknown_group_names_the_nearest),
        TEST(test_a_key_of_a_group_at_the_top_is_sent_there),
        TEST(test_a_key_like_no_other_is_just_unknown),
        TEST(test_a_value_of_the_wrong_type_is_told_with_its_key),
        TEST(test_a_number_where_a_switch_belongs_is_refused),
        TEST(test_a_number_out_of_range_is_refused),
        TEST(test_a_list_has_texts_only),
        TEST(test_a_text_with_a_zero_byte_is_refused),
        TEST(test_a_group_must_be_a_table),
        TEST(test_every_mistake_is_told_at_once),
        TEST(test_a_syntax_error_is_told_with_its_line),
        TEST(test_a_raise_is_told_with_its_line),
        TEST(test_a_file_must_return_a_table),
        TEST(test_a_function_in_the_table_is_told_with_its_key),
        TEST(test_a_file_that_never_ends_is_stopped),
        TEST(test_a_file_that_takes_all_memory_is_stopped),
        TEST(test_a_file_that_is_not_there_is_told),
        TEST(test_files_can_be_read_again_and_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
