/* Files, modules, snapshots. SPDX-License-Identifier: MIT */
#include "test_bridge_vm.h"

#include <sys/stat.h>
#include <unistd.h>

#include "loader_sha256.h"

typedef struct folder {
    world w;
    char path[64];
} folder;

static folder f;

static void write_file(const char *name, const char *text, size_t len) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", f.path, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void put(const char *name, const char *text) {
    write_file(name, text, strlen(text));
}

static const char *path_of(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", f.path, name);
    return path;
}

static int open_folder(void **state) {
    (void)state;
    char command[192];
    snprintf(f.path, sizeof f.path, "/tmp/tw_loader_XXXXXX");
    assert_non_null(mkdtemp(f.path));
    snprintf(command, sizeof command, "mkdir %s/lib %s/a", f.path, f.path);
    assert_int_equal(system(command), 0);
    char lib[80];
    snprintf(lib, sizeof lib, "%s/lib", f.path);
    world_open_with(&f.w,
                    (twl_vm_config){.script_dir = f.path, .library_dir = lib});
    return 0;
}

static int close_folder(void **state) {
    (void)state;
    world_close(&f.w);
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", f.path);
    assert_int_equal(system(command), 0);
    return 0;
}

static int load_main(const char *name) {
    int ref = LUA_NOREF;
    int err = twl_loader_main(f.w.vm, path_of(name), &ref);
    if (err == 0) {
        twl_unref(f.w.vm, ref);
    }
    assert_int_equal(lua_gettop(twl_vm_lua(f.w.vm)), 0);
    return err;
}

static const char *message(void) {
    return twl_vm_failure(f.w.vm)->message;
}

/* --- require ---------------------------------------------------------- */

static void
modules_are_found_in_the_scripts_folder_then_the_library(void **state) {
    (void)state;
    put("one.lua", "return 'script'");
    put("lib/one.lua", "return 'library'");
    put("lib/two.lua", "return 'library ' .. ...");
    put("a/b.lua", "return 'a.b'");
    put("a/init.lua", "return 'init'");
    put("main.lua", "return function() return require 'one', require 'two', "
                    "require 'a.b', require 'a/b', require 'a', "
                    "require 'one' == require('one') end");
    int ref;
    assert_int_equal(twl_loader_main(f.w.vm, path_of("main.lua"), &ref), 0);
    assert_int_equal(world_call(&f.w, ref), TWL_DONE);
    assert_string_equal(f.w.result, "script library two a.b a.b init true");
    assert_int_equal(twl_sources_count(f.w.sources), 5);
}

static void a_module_runs_once_and_may_return_nothing(void **state) {
    (void)state;
    put("m.lua", "local n = 0 return function() n = n + 1 return n end");
    put("nothing.lua", "local x = 1");
    put("no.lua", "return false");
    assert_eval(&f.w,
                "return require 'm' () + require 'm' (), require 'nothing', "
                "require 'nothing', require 'no'",
                "3 true true false");
}

static void what_cannot_be_found_lists_where_it_was_sought(void **state) {
    (void)state;
    assert_fails(&f.w, "local x = require 'no.such'",
                 "test.lua:1: module 'no.such' not found:");
    assert_contains(f.w.result, "/no/such.lua'");
    assert_contains(f.w.result, "/no/such/init.lua'");
    assert_contains(f.w.result, "/lib/no/such.lua'");
}

static void names_that_lead_elsewhere_are_refused(void **state) {
    (void)state;
    static const char *const NAMES[] = {
        "../x", "..", "/etc/passwd", "a..b", ".a", "a.", "", "a b", "a\\0b"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        char body[64];
        snprintf(body, sizeof body, "local x = require '%s'", NAMES[i]);
        assert_fails(&f.w, body, "is no module name");
    }
}

static void errors_in_modules_have_file_and_line(void **state) {
    (void)state;
    put("bad.lua", "local x = 1\n\nx x x");
    put("raises.lua", "\nerror('oh')");
    put("main.lua", "require 'bad'");
    char expected[128];
    assert_int_equal(load_main("main.lua"), TW_EINVALID);
    snprintf(expected, sizeof expected, "%s/bad.lua:3: '=' expected near 'x'",
             f.path);
    assert_string_equal(message(), expected);
    put("main2.lua", "require 'raises'");
    assert_int_equal(load_main("main2.lua"), TW_EINVALID);
    snprintf(expected, sizeof expected, "%s/raises.lua:2: oh", f.path);
    assert_string_equal(message(), expected);
    /* And again: a failed module is not taken for one under way. */
    assert_fails(&f.w, "local x = require 'raises'", "raises.lua:2: oh");
}

static void modules_that_require_each_other_are_an_error(void **state) {
    (void)state;
    put("p.lua", "return require 'q'");
    put("q.lua", "local p = require 'p' return p");
    assert_fails(&f.w, "local x = require 'p'", "module 'p' requires itself");
}

static void bytecode_is_not_loaded(void **state) {
    (void)state;
    write_file("code.lua", "\x1bLJ\x02\x02", 5);
    assert_fails(&f.w, "local x = require 'code'", "wrong mode");
    assert_int_equal(load_main("code.lua"), TW_EINVALID);
    assert_contains(message(), "wrong mode");
}

static void waiting_inside_require_is_refused(void **state) {
    (void)state;
    put("waits.lua", "local tw = require 'tidewire' tw.wait()");
    assert_fails(&f.w, "local x = require 'waits'",
                 "waits.lua:1: tw.wait cannot wait inside a callback of gsub, "
                 "table.sort or require");
}

/* --- main ------------------------------------------------------------- */

static void the_main_script_leaves_its_result(void **state) {
    (void)state;
    put("main.lua", "#!/usr/bin/env tidewire\nreturn function() return 1 end");
    int ref;
    assert_int_equal(twl_loader_main(f.w.vm, path_of("main.lua"), &ref), 0);
    assert_int_equal(world_call(&f.w, ref), TWL_DONE);
    assert_string_equal(f.w.result, "1");
    put("none.lua", "local x = 1");
    assert_int_equal(twl_loader_main(f.w.vm, path_of("none.lua"), &ref), 0);
    assert_int_equal(ref, LUA_REFNIL);
}

static void what_cannot_be_read_says_why(void **state) {
    (void)state;
    assert_int_equal(load_main("absent.lua"), TW_ENOT_FOUND);
    assert_contains(message(), "absent.lua: there is no such thing");
    assert_int_equal(load_main("lib"), TW_EINVALID);
    mkfifo(path_of("fifo.lua"), 0600);
    assert_int_equal(load_main("fifo.lua"), TW_EINVALID);
    char *large = calloc(1, TWL_SOURCE_MAX_BYTES + 1);
    write_file("large.lua", large, TWL_SOURCE_MAX_BYTES + 1);
    free(large);
    assert_int_equal(load_main("large.lua"), TW_ELIMIT);
}

static void a_script_that_loads_for_ever_is_stopped(void **state) {
    (void)state;
    put("main.lua", "\n\nwhile true do end");
    twl_vm_destroy(f.w.vm);
    twl_vm_config config = {
        .script_dir = f.path, .sources = f.w.sources, .budget_ms = 10};
    assert_int_equal(twl_vm_create(&f.w.vm, &config), 0);
    assert_int_equal(load_main("main.lua"), TW_EINVALID);
    assert_contains(message(), "main.lua:3: over its CPU budget of 100 ms");
}

/* --- sources ---------------------------------------------------------- */

static void sha256_is_the_standards(void **state) {
    (void)state;
    static const struct {
        const char *text, *hex;
    } KNOWN[] = {
        {"",
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc",
         "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++) {
        for (int by_byte = 0; by_byte < 2; by_byte++) {
            twl_sha256 sha;
            uint8_t digest[TWL_SHA256_BYTES];
            char hex[2 * TWL_SHA256_BYTES + 1];
            size_t len = strlen(KNOWN[i].text);
            twl_sha256_init(&sha);
            for (size_t at = 0; at < len; at += by_byte ? 1 : len) {
                twl_sha256_add(&sha, KNOWN[i].text + at, by_byte ? 1 : len);
            }
            twl_sha256_finish(&sha, digest);
            for (int j = 0; j < TWL_SHA256_BYTES; j++) {
                snprintf(hex + 2 * j, 3, "%02x", digest[j]);
            }
            assert_string_equal(hex, KNOWN[i].hex);
        }
    }
}

static void read_all(twl_sources *sources, const char *first,
                     const char *second) {
    const char *data;
    size_t len;
    char path[256];
    snprintf(path, sizeof path, "%s", path_of(first));
    assert_int_equal(twl_sources_read(sources, path, &data, &len), 0);
    assert_int_equal(twl_sources_read(sources, path_of(second), &data, &len),
                     0);
}

static void the_digest_depends_on_files_and_not_on_their_order(void **state) {
    (void)state;
    put("x.lua", "1");
    put("y.lua", "2");
    char one[TWL_DIGEST_TEXT], two[TWL_DIGEST_TEXT], three[TWL_DIGEST_TEXT];
    twl_sources *a = twl_sources_create_disk();
    twl_sources *b = twl_sources_create_disk();
    read_all(a, "x.lua", "y.lua");
    put("y.lua", "changed, but read already");
    read_all(a, "x.lua", "y.lua");
    put("y.lua", "2");
    read_all(b, "y.lua", "x.lua");
    assert_int_equal(twl_sources_digest(a, one), 0);
    assert_int_equal(twl_sources_digest(b, two), 0);
    assert_string_equal(one, two);
    assert_int_equal(strlen(one), TWL_DIGEST_TEXT - 1);
    twl_sources *c = twl_sources_create_disk();
    put("y.lua", "3");
    read_all(c, "x.lua", "y.lua");
    assert_int_equal(twl_sources_digest(c, three), 0);
    assert_string_not_equal(one, three);
    twl_sources_destroy(a);
    twl_sources_destroy(b);
    twl_sources_destroy(c);
}

static void a_generation_comes_back_from_its_snapshot(void **state) {
    (void)state;
    put("main.lua", "return require 'part'");
    put("part.lua", "return function() return 'as it was' end");
    assert_int_equal(load_main("main.lua"), 0);
    char before[TWL_DIGEST_TEXT], after[TWL_DIGEST_TEXT];
    assert_int_equal(twl_sources_digest(f.w.sources, before), 0);
    char snapshot[256];
    snprintf(snapshot, sizeof snapshot, "%s", path_of("snapshot"));
    assert_int_equal(twl_sources_save(f.w.sources, snapshot), 0);
    put("part.lua", "return function() return 'as it is now' end");
    put("extra.lua", "return 1");

    twl_sources *old;
    assert_int_equal(twl_sources_open_snapshot(&old, snapshot), 0);
    assert_int_equal(twl_sources_digest(old, after), 0);
    assert_string_equal(before, after);
    twl_vm_config config = {.script_dir = f.path, .sources = old};
    twl_vm *keep = f.w.vm;
    assert_int_equal(twl_vm_create(&f.w.vm, &config), 0);
    int ref;
    assert_int_equal(twl_loader_main(f.w.vm, path_of("main.lua"), &ref), 0);
    assert_int_equal(world_call(&f.w, ref), TWL_DONE);
    assert_string_equal(f.w.result, "as it was");
    const char *missing = "return require 'extra'";
    assert_int_equal(
        twl_loader_text(f.w.vm, "=x", missing, strlen(missing), &ref),
        TW_EINVALID);
    assert_contains(message(), "module 'extra' not found");
    twl_vm_destroy(f.w.vm);
    f.w.vm = keep;
    twl_sources_destroy(old);
    assert_int_equal(twl_sources_open_snapshot(&old, path_of("absent")),
                     TW_ENOT_FOUND);
    assert_int_equal(twl_sources_save(f.w.sources, "/nowhere/at/all"), TW_EIO);
}

static void a_damaged_snapshot_is_refused(void **state) {
    (void)state;
    put("one.lua", "return 1");
    put("two.lua", "return 22");
    read_all(f.w.sources, "one.lua", "two.lua");
    twl_bytes bytes = {0};
    twl_sources *back;
    assert_int_equal(twl_sources_write(f.w.sources, &bytes), 0);
    for (size_t len = 0; len < bytes.len; len++) {
        /* A copy of exactly that size: reading beyond it is seen. */
        char *cut = malloc(len + 1);
        memcpy(cut, bytes.data, len);
        char *exact = realloc(cut, len > 0 ? len : 1);
        assert_int_equal(twl_sources_create_snapshot(&back, exact, len),
                         TW_EINVALID);
        free(exact);
    }
    for (size_t at = 0; at < bytes.len; at++) {
        char kept = bytes.data[at];
        for (int bit = 0; bit < 8; bit++) {
            bytes.data[at] = (char)(kept ^ (1 << bit));
            if (twl_sources_create_snapshot(&back, bytes.data, bytes.len) ==
                0) {
                twl_sources_destroy(back);
            }
        }
        bytes.data[at] = kept;
    }
    assert_int_equal(twl_bytes_add(&bytes, "x", 1), 0);
    assert_int_equal(twl_sources_create_snapshot(&back, bytes.data, bytes.len),
                     TW_EINVALID);
    twl_bytes_deinit(&bytes);
}

#define disk(test)                                                             \
    cmocka_unit_test_setup_teardown(test, open_folder, close_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        disk(modules_are_found_in_the_scripts_folder_then_the_library),
        disk(a_module_runs_once_and_may_return_nothing),
        disk(what_cannot_be_found_lists_where_it_was_sought),
        disk(names_that_lead_elsewhere_are_refused),
        disk(errors_in_modules_have_file_and_line),
        disk(modules_that_require_each_other_are_an_error),
        disk(bytecode_is_not_loaded),
        disk(waiting_inside_require_is_refused),
        disk(the_main_script_leaves_its_result),
        disk(what_cannot_be_read_says_why),
        disk(a_script_that_loads_for_ever_is_stopped),
        cmocka_unit_test(sha256_is_the_standards),
        disk(the_digest_depends_on_files_and_not_on_their_order),
        disk(a_generation_comes_back_from_its_snapshot),
        disk(a_damaged_snapshot_is_refused),
    };
    twl_budget_start(NULL);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    twl_budget_stop();
    return failures;
}
