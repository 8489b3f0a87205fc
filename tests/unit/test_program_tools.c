/* Reports with their lines of source, names of projects, and which folders
 * are watched. SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../lua/program/explain.c"
#include "../../lua/program/log_escape.c"
#include "../../lua/program/text.c"
#include "../../lua/program/watch_folders.c"

/* ---- explain ------------------------------------------------------------ */

static const char SOURCE[] = "one\n\ttwo\nthree\x1b[2J\r\nfour";

static void assert_explained(unsigned line, const char *expected) {
    twp_text out = {0};
    twp_explain(&out, "x.lua:1: bad", SOURCE, sizeof SOURCE - 1, line, false);
    assert_string_equal(out.data, expected);
    twp_text_deinit(&out);
}

static void a_report_is_shown_with_its_line_and_the_neighbours(void **state) {
    (void)state;
    assert_explained(1, "  x.lua:1: bad\n\n"
                        "  >    1 | one\n"
                        "       2 |     two\n");
    assert_explained(4, "  x.lua:1: bad\n\n"
                        "       3 | three\\x1b[2J\n"
                        "  >    4 | four\n");
}

static void a_line_that_is_not_there_is_left_out(void **state) {
    (void)state;
    assert_explained(5, "  x.lua:1: bad\n");
    twp_text out = {0};
    twp_explain(&out, "gone\nfor good", NULL, 0, 0, true);
    assert_string_equal(out.data, "  gone\n  for good\n");
    twp_text_deinit(&out);
}

static void a_place_is_read_out_of_a_report(void **state) {
    (void)state;
    twp_where where;
    assert_true(twp_where_read(&where, "lib/a:1.lua:12: x: 3: y"));
    assert_string_equal(where.file, "lib/a:1.lua");
    assert_int_equal(where.line, 12);
    assert_string_equal(where.what, "x: 3: y");
    assert_false(twp_where_read(&where, "out of memory"));
    assert_false(twp_where_read(&where, "a.lua:x: y"));
    assert_false(twp_where_read(&where, "module not found:\na.lua:1: y"));
    assert_false(twp_where_read(&where, ""));
}

/* ---- folders ------------------------------------------------------------ */

static char root[] = "/tmp/tw-folders-XXXXXX";
static twp_folders *folders;

static char *below(const char *name) {
    return twp_print("%s/%s", root, name);
}

static void write_file(const char *name) {
    char *path = below(name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    free(path);
}

static void make_folder(const char *name) {
    char *path = below(name);
    assert_int_equal(mkdir(path, 0700), 0);
    free(path);
}

static void rename_file(const char *from, const char *to) {
    char *a = below(from), *b = below(to);
    assert_int_equal(rename(a, b), 0);
    free(a);
    free(b);
}

static void assert_change(twp_change expected, const char *name) {
    char file[PATH_MAX] = "";
    assert_int_equal(twp_folders_read(folders, file), expected);
    char *path = *name != '\0' ? below(name) : twp_copy("");
    assert_string_equal(file, path);
    free(path);
}

static int begin(void **state) {
    (void)state;
    strcpy(root + strlen(root) - 6, "XXXXXX");
    folders = twp_alloc(sizeof *folders);
    return mkdtemp(root) == NULL || twp_folders_init(folders, root) != 0;
}

static int end(void **state) {
    (void)state;
    char *command = twp_print("rm -r %s", root);
    twp_folders_deinit(folders);
    free(folders);
    int status = system(command);
    free(command);
    return status;
}

static void a_file_that_is_written_is_a_change(void **state) {
    (void)state;
    write_file("main.lua");
    assert_change(TWP_CHANGED, "main.lua");
    assert_change(TWP_NO_CHANGE, "");
}

static void one_that_is_renamed_over_another_is_a_change(void **state) {
    (void)state;
    write_file("main.lua");
    write_file("main.lua~");
    assert_change(TWP_CHANGED, "main.lua");
    rename_file("main.lua~", "main.lua");
    assert_change(TWP_CHANGED, "main.lua");
}

static void one_that_is_gone_is_told_to_be_so(void **state) {
    (void)state;
    write_file("main.lua");
    assert_change(TWP_CHANGED, "main.lua");
    rename_file("main.lua", "main.lua~");
    assert_change(TWP_GONE, "main.lua");
}

static void other_files_are_none_of_ours(void **state) {
    (void)state;
    write_file("main.js");
    write_file(".#main.lua");
    write_file(".main.lua.swp");
    write_file("4913");
    make_folder(".git");
    make_folder("node_modules");
    write_file(".git/x.lua");
    write_file("node_modules/x.lua");
    assert_change(TWP_NO_CHANGE, "");
}

static void a_folder_that_comes_later_is_watched(void **state) {
    (void)state;
    make_folder("lib");
    assert_change(TWP_CHANGED, "");
    make_folder("lib/inner");
    assert_change(TWP_CHANGED, "");
    write_file("lib/inner/x.lua");
    assert_change(TWP_CHANGED, "lib/inner/x.lua");
}

static void a_folder_that_is_moved_in_is_watched_all_the_way(void **state) {
    (void)state;
    make_folder(".new");
    make_folder(".new/inner");
    rename_file(".new", "new");
    assert_change(TWP_CHANGED, "");
    write_file("new/inner/x.lua");
    assert_change(TWP_CHANGED, "new/inner/x.lua");
}

static void a_link_is_followed(void **state) {
    (void)state;
    char other[] = "/tmp/tw-linked-XXXXXX", target[64];
    assert_non_null(mkdtemp(other));
    snprintf(target, sizeof target, "%s/x.lua", other);
    int fd = open(target, O_WRONLY | O_CREAT, 0600);
    close(fd);
    char *link = below("main.lua");
    assert_int_equal(symlink(target, link), 0);
    free(link);
    assert_change(TWP_CHANGED, "main.lua");
    fd = open(target, O_WRONLY | O_TRUNC);
    close(fd);
    char file[PATH_MAX];
    assert_int_equal(twp_folders_read(folders, file), TWP_CHANGED);
    assert_string_equal(file, target);
    unlink(target);
    rmdir(other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_is_shown_with_its_line_and_the_neighbours),
        cmocka_unit_test(a_line_that_is_not_there_is_left_out),
        cmocka_unit_test(a_place_is_read_out_of_a_report),
        cmocka_unit_test_setup_teardown(a_file_that_is_written_is_a_change,
                                        begin, end),
        cmocka_unit_test_setup_teardown(
            one_that_is_renamed_over_another_is_a_change, begin, end),
        cmocka_unit_test_setup_teardown(one_that_is_gone_is_told_to_be_so,
                                        begin, end),
        cmocka_unit_test_setup_teardown(other_files_are_none_of_ours, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_folder_that_comes_later_is_watched,
                                        begin, end),
        cmocka_unit_test_setup_teardown(
            a_folder_that_is_moved_in_is_watched_all_the_way, begin, end),
        cmocka_unit_test_setup_teardown(a_link_is_followed, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
