/* Served folders, http/static.h. Small: a quarter of the time. The input is a
 * request; each of its lines but the first is a header.
 *
 * Whatever the name, with openat2 and without, what is opened is one of the
 * folder's own files; the part that is promised lies inside of the file; and
 * the answer can be written.
 *
 * SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "http/parser.h"
#include "http/static.h"

static char base[64]; /* holds secret.txt and the folder www */
static tw__http_static *folders[2];
static struct stat served[4]; /* all that may be opened */
static size_t served_count;

static const char *in_base(const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", base, name);
    return path;
}

static void put(const char *name, const char *text, bool is_served) {
    FILE *file = fopen(in_base(name), "w");
    FUZZ_CHECK(file != NULL);
    fputs(text, file);
    fclose(file);
    if (is_served) {
        FUZZ_CHECK(stat(in_base(name), &served[served_count++]) == 0);
    }
}

static void make_links(void) {
    static const char *const links[][2] = {{"www/in", "a.txt"},
                                           {"www/out", "../secret.txt"},
                                           {"www/up", ".."},
                                           {"www/loop", "loop"}};
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        FUZZ_CHECK(symlink(links[i][1], in_base(links[i][0])) == 0);
    }
}

static void remove_all(void) {
    static const char *const files[] = {
        "secret.txt",  "www/in",        "www/out",          "www/up",
        "www/loop",    "www/a.txt",     "www/index.html",   "www/.hidden",
        "www/d/b.bin", "www/d/.hidden", "www/d/index.html",
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        unlink(in_base(files[i]));
    }
    rmdir(in_base("www/d"));
    rmdir(in_base("www"));
    rmdir(base);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    snprintf(base, sizeof base, "%s/tw-fuzz-XXXXXX", P_tmpdir);
    FUZZ_CHECK(mkdtemp(base) != NULL);
    atexit(remove_all);
    FUZZ_CHECK(mkdir(in_base("www"), 0755) == 0);
    FUZZ_CHECK(mkdir(in_base("www/d"), 0755) == 0);
    put("secret.txt", "secret", false);
    put("www/.hidden", "hidden", false);
    put("www/d/.hidden", "hidden", false);
    put("www/index.html", "<p>home", true);
    put("www/a.txt", "ten bytes!", true);
    put("www/d/index.html", "", true);
    put("www/d/b.bin", "b", true);
    make_links();
    for (int i = 0; i < 2; i++) {
        FUZZ_CHECK(tw__http_static_create(in_base("www"), &folders[i]) == 0);
    }
    tw__http_static_avoid_openat2(folders[1]);
    return 0;
}

static void check_opened(const tw__http_file *file) {
    struct stat st;
    bool is_served = false;
    FUZZ_CHECK(file->status == 200 || file->status == 206);
    FUZZ_CHECK(fstat(file->fd, &st) == 0);
    for (size_t i = 0; i < served_count; i++) {
        is_served = is_served || (st.st_ino == served[i].st_ino &&
                                  st.st_dev == served[i].st_dev);
    }
    FUZZ_CHECK(is_served);
    FUZZ_CHECK(file->length != 0);
    FUZZ_CHECK(file->offset < (uint64_t)st.st_size);
    FUZZ_CHECK(file->length <= (uint64_t)st.st_size - file->offset);
    FUZZ_CHECK(file->status == 206 || file->length == (uint64_t)st.st_size);
}

static void check_answer(const tw__http_file *file,
                         const tw__http_request *request) {
    tw__http_response response = tw__http_file_response(file, request);
    tw__bytes out = {0};
    FUZZ_CHECK(file->status != 0);
    int err = file->status < 400 ? tw__http_response_write(&out, &response)
                                 : tw__http_error_text(&out, &response, NULL);
    FUZZ_CHECK(err == 0);
    tw__bytes_deinit(&out);
}

/* Gives the status. */
static int serve(tw__http_static *folder, const tw__http_request *request,
                 const char *rest, size_t len) {
    tw__http_file file;
    tw__http_static_open(folder, request, rest, len, &file);
    if (file.fd >= 0) {
        check_opened(&file);
    }
    check_answer(&file, request);
    int status = file.status;
    tw__http_file_deinit(&file);
    return status;
}

static void serve_both(const tw__http_request *request, const char *rest,
                       size_t len) {
    int by_kernel = serve(folders[0], request, rest, len);
    int by_hand = serve(folders[1], request, rest, len);
    /* Only a symbolic link makes a difference: it is not there then. */
    FUZZ_CHECK(by_kernel == by_hand || by_hand == 404);
}

/* The target and the headers as a request that the parser can read. */
static tw__http_parser *parse(fuzz_span text) {
    fuzz_log head = {0};
    size_t used;
    fuzz_span line = fuzz_line(&text);
    bool is_head = line.len != 0 && line.data[0] == 'H';
    fuzz_cut(&line, ' ');
    fuzz_span target = fuzz_cut(&line, ' ');
    const char *method = is_head ? "HEAD " : "GET ";
    fuzz_log_add(&head, method, strlen(method));
    fuzz_log_add(&head, target.data, target.len);
    fuzz_log_add(&head, " HTTP/1.1\r\nHost: a\r\n", 20);
    while (text.len != 0) {
        line = fuzz_line(&text);
        if (line.len != 0) {
            fuzz_log_add(&head, line.data, line.len);
            fuzz_log_add(&head, "\r\n", 2);
        }
    }
    fuzz_log_add(&head, "\r\n", 2);
    tw__http_parser *parser = tw__http_parser_create(NULL);
    FUZZ_CHECK(parser != NULL);
    tw__http_parser_feed(parser, head.data, head.len, &used);
    fuzz_log_free(&head);
    return parser;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t live = tw__alloc_live();
    tw__http_parser *parser = parse((fuzz_span){data, size});
    const tw__http_request *request = tw__http_parser_request(parser);
    if (request != NULL && request->path.data[0] == '/') {
        serve_both(request, request->path.data + 1, request->path.len - 1);
        /* The parser refuses most names; a folder trusts nobody. */
        char *name = malloc(size + 1);
        FUZZ_CHECK(name != NULL);
        memcpy(name, data, size);
        name[size] = '\0';
        serve_both(request, name, strcspn(name, "\n"));
        serve_both(request, name, size);
        free(name);
    }
    tw__http_parser_destroy(parser);
    FUZZ_CHECK(tw__alloc_live() == live);
    return 0;
}
