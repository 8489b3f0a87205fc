/* Served folders: what is found, what is refused, preconditions, ranges. Every
 * way in is tried with openat2 and without. SPDX-License-Identifier: MIT */
#include "test_http_support.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http/static.h"

#define MTIME 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */
#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"
#define TAG "\"a-ae1b981bc490a00\""

static char base[64]; /* holds secret.txt and the folder www */
static tw__http_static *folder;

static void in_base(char *out, size_t size, const char *name) {
    snprintf(out, size, "%s/%s", base, name);
}

static void put(const char *name, const char *data) {
    char path[256];
    in_base(path, sizeof path, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(data, file);
    fclose(file);
    struct timespec times[2] = {{MTIME, 0}, {MTIME, 0}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void make_dir(const char *name) {
    char path[256];
    in_base(path, sizeof path, name);
    assert_int_equal(mkdir(path, 0755), 0);
}

static void make_link(const char *target, const char *name) {
    char path[256];
    in_base(path, sizeof path, name);
    assert_int_equal(symlink(target, path), 0);
}

static int make_tree(void **state) {
    (void)state;
    strcpy(base, "/tmp/tidewire-static-XXXXXX");
    if (mkdtemp(base) == NULL) {
        return -1;
    }
    put("secret.txt", "secret");
    make_dir("www");
    make_dir("www/dir");
    make_dir("www/empty");
    make_dir("www/.git");
    make_dir("www/odd");
    make_dir("www/odd/index.html");
    put("www/index.html", "<h1>home</h1>");
    put("www/dir/index.html", "<h1>dir</h1>");
    put("www/a.txt", "0123456789");
    put("www/a b.css", "a{}");
    put("www/none.js", "");
    put("www/.env", "key");
    put("www/.git/config", "x");
    make_link("a.txt", "www/inside.txt");
    make_link("../secret.txt", "www/outside.txt");
    make_link("..", "www/up");
    make_link("/etc", "www/etc");
    make_link("loop", "www/loop");
    char path[256];
    in_base(path, sizeof path, "www/fifo");
    return mkfifo(path, 0644);
}

static int remove_tree(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", base);
    return system(command);
}

static int open_folder(void **state) {
    level_setup(state);
    char path[256];
    in_base(path, sizeof path, "www");
    return tw__http_static_create(path, &folder);
}

static int open_folder_walking(void **state) {
    int err = open_folder(state);
    if (err == 0) {
        tw__http_static_avoid_openat2(folder);
    }
    return err;
}

static int close_folder(void **state) {
    tw__http_static_destroy(folder);
    return level_teardown(state);
}

/* Asks for a path with further header lines. The request is kept till the
 * next ask, the file is to be deinitialised. */
static tw__http_file *ask_with(const char *method, const char *path,
                               const char *lines) {
    static tw__http_file file;
    char text[6000];
    snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: a\r\n%s\r\n", method,
             path, lines);
    outcome result = parse_pieces(NULL, text, strlen(text), WHOLE);
    assert_int_equal(result.error.status, 0);
    tw__http_text decoded = result.request->path;
    tw__http_static_open(folder, result.request, decoded.data + 1,
                         decoded.len - 1, &file);
    tw__http_response response = tw__http_file_response(&file, result.request);
    assert_int_equal(response.status, file.status);
    assert_int_equal(response.is_head, result.request->is_head);
    assert_true(response.body_len == file.length);
    tw__bytes out = {0};
    assert_int_equal(file.status >= 400
                         ? tw__http_error_text(&out, &response, NULL)
                         : tw__http_response_write(&out, &response),
                     0);
    tw__bytes_deinit(&out);
    tw__http_request_unref(result.request);
    return &file;
}

static tw__http_file *ask(const char *path) {
    return ask_with("GET", path, "");
}

static const char *header(const tw__http_file *file, const char *name) {
    for (size_t i = 0; i < file->header_count; i++) {
        if (strcmp(file->headers[i].name, name) == 0) {
            assert_int_equal(strlen(file->headers[i].value),
                             file->headers[i].value_len);
            return file->headers[i].value;
        }
    }
    return "";
}

/* Reads what the caller would send, and closes. */
static void assert_sends(tw__http_file *file, int status, const char *body) {
    char data[128] = "";
    assert_int_equal(file->status, status);
    assert_int_equal(file->length, strlen(body));
    if (file->length > 0) {
        assert_true(file->fd >= 0);
        assert_int_equal(
            pread(file->fd, data, file->length, (off_t)file->offset),
            file->length);
    } else {
        assert_int_equal(file->fd, -1);
    }
    assert_string_equal(data, body);
    tw__http_file_deinit(file);
    assert_int_equal(file->fd, -1);
}

static void assert_status(const char *path, int status) {
    tw__http_file *file = ask(path);
    if (file->status != status) {
        fail_msg("%s: %d instead of %d", path, file->status, status);
    }
    if (status != 200) {
        assert_int_equal(file->fd, -1);
        assert_int_equal(file->length, 0);
    }
    tw__http_file_deinit(file);
}

static void a_file_is_served_with_its_headers(void **state) {
    (void)state;
    tw__http_file *file = ask("/a.txt");
    assert_string_equal(header(file, "Content-Type"),
                        "text/plain; charset=utf-8");
    assert_string_equal(header(file, "ETag"), TAG);
    assert_string_equal(header(file, "Last-Modified"), DATE);
    assert_string_equal(header(file, "Cache-Control"), "no-cache");
    assert_string_equal(header(file, "X-Content-Type-Options"), "nosniff");
    assert_string_equal(header(file, "Accept-Ranges"), "bytes");
    assert_sends(file, 200, "0123456789");
}

static void an_escaped_name_is_found(void **state) {
    (void)state;
    tw__http_file *file = ask("/a%20b.css?v=2");
    assert_string_equal(header(file, "Content-Type"),
                        "text/css; charset=utf-8");
    assert_sends(file, 200, "a{}");
}

static void an_empty_file_needs_no_descriptor(void **state) {
    (void)state;
    assert_sends(ask("/none.js"), 200, "");
}

static void a_folder_means_its_index(void **state) {
    (void)state;
    assert_sends(ask("/"), 200, "<h1>home</h1>");
    tw__http_file *file = ask("/dir/");
    assert_string_equal(header(file, "Content-Type"),
                        "text/html; charset=utf-8");
    assert_sends(file, 200, "<h1>dir</h1>");
    assert_status("/empty/", 404);
    assert_status("/odd/", 404);
    assert_status("/a.txt/", 404);
}

static void a_folder_without_its_slash_is_redirected(void **state) {
    (void)state;
    tw__http_file *file = ask("/dir");
    assert_string_equal(header(file, "Location"), "/dir/");
    assert_sends(file, 301, "");
    file = ask("/%64ir?x=/y&z");
    assert_string_equal(header(file, "Location"), "/%64ir/?x=/y&z");
    assert_sends(file, 301, "");
}

static void a_mounted_folder_itself_is_redirected(void **state) {
    (void)state;
    outcome result = parse("GET /files HTTP/1.1\r\nHost: a\r\n\r\n");
    tw__http_file file;
    tw__http_static_open(folder, result.request, "", 0, &file);
    assert_string_equal(header(&file, "Location"), "/files/");
    assert_sends(&file, 301, "");
    tw__http_request_unref(result.request);
}

static void no_redirect_leads_to_another_host(void **state) {
    (void)state;
    outcome result = parse("GET //dir HTTP/1.1\r\nHost: a\r\n\r\n");
    tw__http_file file;
    tw__http_static_open(folder, result.request, "dir", 3, &file);
    assert_sends(&file, 404, "");
    tw__http_request_unref(result.request);
    assert_status("//dir", 404);
}

static void there_is_no_way_out(void **state) {
    (void)state;
    const char *paths[] = {
        "/outside.txt", "/up/secret.txt", "/etc/passwd",  "/etc",
        "/up",          "/up/",           "//etc/passwd", "/loop",
        "/loop/x",      "/up/www/a.txt"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        assert_status(paths[i], 404);
    }
}

/* Names that the parser would have refused, given to the folder directly. */
static void the_folder_trusts_no_caller(void **state) {
    (void)state;
    outcome result = parse("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    const tw__http_text names[] = {
        {"../secret.txt", 13},
        {"dir/../../secret.txt", 20},
        {"/etc/passwd", 11},
        {"..", 2},
        {".", 1},
        {"dir/..", 6},
        {"a.txt\0.html", 11},
        {"dir//index.html", 15},
        {"./a.txt", 7},
        {"dir/./index.html", 16},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        tw__http_file file;
        tw__http_static_open(folder, result.request, names[i].data,
                             names[i].len, &file);
        assert_sends(&file, 404, "");
    }
    tw__http_request_unref(result.request);
}

static void names_with_a_dot_in_front_are_not_there(void **state) {
    (void)state;
    assert_status("/.env", 404);
    assert_status("/.git/config", 404);
    assert_status("/.git", 404);
    assert_status("/.git/", 404);
    assert_status("/%2eenv", 404);
}

static void only_regular_files_are_served(void **state) {
    (void)state;
    assert_status("/fifo", 404);
    assert_status("/missing", 404);
    assert_status("/a.txt/x", 404);
}

static void names_too_long_are_not_there(void **state) {
    (void)state;
    size_t lens[] = {255, 256, 4084, 4085, 4086, 5000};
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        char path[5100] = "/";
        memset(path + 1, 'x', lens[i]);
        path[lens[i] + 1] = '\0';
        assert_status(path, 404);
        path[lens[i]] = '/';
        assert_status(path, 404);
    }
}

static void
links_inside_are_followed_where_the_kernel_keeps_watch(void **state) {
    (void)state;
    assert_sends(ask("/inside.txt"), 200, "0123456789");
}

static void links_are_not_followed_without_openat2(void **state) {
    (void)state;
    assert_status("/inside.txt", 404);
}

static void head_gives_the_length_without_a_descriptor(void **state) {
    (void)state;
    tw__http_file *file = ask_with("HEAD", "/a.txt", "Range: bytes=0-1\r\n");
    assert_int_equal(file->status, 200);
    assert_int_equal(file->length, 10);
    assert_int_equal(file->fd, -1);
    assert_string_equal(header(file, "ETag"), TAG);
    tw__http_file_deinit(file);
}

static void other_methods_are_405(void **state) {
    (void)state;
    const char *methods[] = {"POST", "PUT", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < 4; i++) {
        tw__http_file *file = ask_with(methods[i], "/a.txt", "");
        assert_string_equal(header(file, "Allow"), "GET, HEAD");
        assert_sends(file, 405, "");
    }
}

static void descriptors_that_run_out_are_503(void **state) {
    (void)state;
    struct rlimit old, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    tw__http_file *file = ask("/a.txt");
    setrlimit(RLIMIT_NOFILE, &old);
    assert_sends(file, 503, "");
}

static void a_redirect_without_memory_is_503(void **state) {
    (void)state;
    outcome result = parse("GET /dir HTTP/1.1\r\nHost: a\r\n\r\n");
    tw__http_file file;
    tw__alloc_fail_nth(1);
    tw__http_static_open(folder, result.request, "dir", 3, &file);
    assert_sends(&file, 503, "");
    tw__http_request_unref(result.request);
}

static void a_folder_that_is_not_there_is_told(void **state) {
    (void)state;
    char path[256];
    tw__http_static *none = NULL;
    in_base(path, sizeof path, "nowhere");
    assert_int_equal(tw__http_static_create(path, &none), TW_ENOT_FOUND);
    in_base(path, sizeof path, "secret.txt");
    assert_int_equal(tw__http_static_create(path, &none), TW_ENOT_FOUND);
    in_base(path, sizeof path, "www");
    tw__alloc_fail_nth(1);
    assert_int_equal(tw__http_static_create(path, &none), TW_ENOMEM);
    assert_null(none);
}

/* --- preconditions --- */

static void assert_condition(const char *lines, int status) {
    tw__http_file *file = ask_with("GET", "/a.txt", lines);
    if (file->status != status) {
        fail_msg("%s: %d instead of %d", lines, file->status, status);
    }
    assert_string_equal(header(file, "ETag"), TAG);
    assert_int_equal(file->fd >= 0, status == 200);
    assert_int_equal(file->length, status == 200 ? 10 : 0);
    tw__http_file_deinit(file);
}

static void if_none_match_is_304(void **state) {
    (void)state;
    assert_condition("If-None-Match: " TAG "\r\n", 304);
    assert_condition("If-None-Match: W/" TAG "\r\n", 304);
    assert_condition("If-None-Match: \"x,y\", " TAG "\r\n", 304);
    assert_condition("If-None-Match: \"x\"\r\nIf-None-Match: " TAG "\r\n", 304);
    assert_condition("If-None-Match: *\r\n", 304);
    assert_condition("If-None-Match: \"x\"\r\n", 200);
    assert_condition("If-None-Match: a-ae1b981bc490a00\r\n", 200);
    assert_condition("If-None-Match:\r\n", 200);
}

static void if_modified_since_is_304_unless_there_is_a_tag(void **state) {
    (void)state;
    assert_condition("If-Modified-Since: " DATE "\r\n", 304);
    assert_condition("If-Modified-Since: Sun, 06 Nov 1994 08:49:38 GMT\r\n",
                     304);
    assert_condition("If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n",
                     200);
    assert_condition("If-Modified-Since: yesterday\r\n", 200);
    assert_condition("If-Modified-Since: " DATE "\r\n"
                     "If-None-Match: \"x\"\r\n",
                     200);
}

static void failed_preconditions_are_412(void **state) {
    (void)state;
    assert_condition("If-Match: " TAG "\r\n", 200);
    assert_condition("If-Match: *\r\n", 200);
    assert_condition("If-Match: \"x\", " TAG "\r\n", 200);
    assert_condition("If-Match: W/" TAG "\r\n", 412);
    assert_condition("If-Match: \"x\"\r\n", 412);
    assert_condition("If-Unmodified-Since: " DATE "\r\n", 200);
    assert_condition("If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n",
                     412);
    assert_condition("If-Match: " TAG "\r\nIf-None-Match: " TAG "\r\n", 304);
}

/* --- ranges --- */

static void assert_range(const char *range, int status, const char *body,
                         const char *content_range) {
    char lines[256];
    snprintf(lines, sizeof lines, "Range: %s\r\n", range);
    tw__http_file *file = ask_with("GET", "/a.txt", lines);
    assert_string_equal(header(file, "Content-Range"), content_range);
    assert_sends(file, status, body);
}

static void one_range_is_served(void **state) {
    (void)state;
    assert_range("bytes=0-0", 206, "0", "bytes 0-0/10");
    assert_range("bytes=2-4", 206, "234", "bytes 2-4/10");
    assert_range("BYTES= 2-4 ", 206, "234", "bytes 2-4/10");
    assert_range("bytes=8-", 206, "89", "bytes 8-9/10");
    assert_range("bytes=8-99", 206, "89", "bytes 8-9/10");
    assert_range("bytes=0-", 206, "0123456789", "bytes 0-9/10");
    assert_range("bytes=-3", 206, "789", "bytes 7-9/10");
    assert_range("bytes=-99", 206, "0123456789", "bytes 0-9/10");
    assert_range("bytes=9-9", 206, "9", "bytes 9-9/10");
}

static void a_range_beyond_the_end_is_416(void **state) {
    (void)state;
    assert_range("bytes=10-", 416, "", "bytes */10");
    assert_range("bytes=10-11", 416, "", "bytes */10");
    assert_range("bytes=-0", 416, "", "bytes */10");
    tw__http_file *file = ask_with("GET", "/none.js", "Range: bytes=0-\r\n");
    assert_string_equal(header(file, "Content-Range"), "bytes */0");
    assert_sends(file, 416, "");
}

static void other_ranges_give_the_whole(void **state) {
    (void)state;
    const char *ranges[] = {"bytes=1-2,4-5",
                            "bytes=",
                            "bytes=-",
                            "bytes=4-2",
                            "bytes=a-b",
                            "bytes=1",
                            "lines=1-2",
                            "bytes 1-2",
                            "bytes=1-2-3",
                            "bytes=--2",
                            "bytes=+1-2",
                            "",
                            "bytes=99999999999999999999-"};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        assert_range(ranges[i], 200, "0123456789", "");
    }
}

static void if_range_guards_a_range(void **state) {
    (void)state;
    assert_range("bytes=0-0\r\nIf-Range: " TAG, 206, "0", "bytes 0-0/10");
    assert_range("bytes=0-0\r\nIf-Range: " DATE, 206, "0", "bytes 0-0/10");
    assert_range("bytes=0-0\r\nIf-Range: W/" TAG, 200, "0123456789", "");
    assert_range("bytes=0-0\r\nIf-Range: \"x\"", 200, "0123456789", "");
    assert_range("bytes=0-0\r\nIf-Range: Sun, 06 Nov 1994 08:49:38 GMT", 200,
                 "0123456789", "");
}

static void a_descriptor_can_be_taken_over(void **state) {
    (void)state;
    tw__http_file *file = ask("/a.txt");
    int fd = file->fd;
    file->fd = -1;
    tw__http_file_deinit(file);
    char c;
    assert_int_equal(read(fd, &c, 1), 1);
    close(fd);
}

#define served(f) cmocka_unit_test_setup_teardown(f, open_folder, close_folder)
#define walked(f)                                                              \
    cmocka_unit_test_setup_teardown(f, open_folder_walking, close_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        served(a_file_is_served_with_its_headers),
        walked(a_file_is_served_with_its_headers),
        served(an_escaped_name_is_found),
        served(an_empty_file_needs_no_descriptor),
        served(a_folder_means_its_index),
        walked(a_folder_means_its_index),
        served(a_folder_without_its_slash_is_redirected),
        walked(a_folder_without_its_slash_is_redirected),
        served(a_mounted_folder_itself_is_redirected),
        served(no_redirect_leads_to_another_host),
        served(there_is_no_way_out),
        walked(there_is_no_way_out),
        served(the_folder_trusts_no_caller),
        walked(the_folder_trusts_no_caller),
        served(names_with_a_dot_in_front_are_not_there),
        walked(names_with_a_dot_in_front_are_not_there),
        served(only_regular_files_are_served),
        walked(only_regular_files_are_served),
        served(names_too_long_are_not_there),
        walked(names_too_long_are_not_there),
        served(links_inside_are_followed_where_the_kernel_keeps_watch),
        walked(links_are_not_followed_without_openat2),
        served(head_gives_the_length_without_a_descriptor),
        served(other_methods_are_405),
        served(descriptors_that_run_out_are_503),
        served(a_redirect_without_memory_is_503),
        served(a_folder_that_is_not_there_is_told),
        served(if_none_match_is_304),
        served(if_modified_since_is_304_unless_there_is_a_tag),
        served(failed_preconditions_are_412),
        served(one_range_is_served),
        served(a_range_beyond_the_end_is_416),
        served(other_ranges_give_the_whole),
        served(if_range_guards_a_range),
        served(a_descriptor_can_be_taken_over),
    };
    return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
