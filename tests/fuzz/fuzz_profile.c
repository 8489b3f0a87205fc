/* What a worker says of a profile, and its picture: program/folded.h and
 * program/flame.h. Small: a quarter of the time.
 *
 * SPDX-License-Identifier: MIT */
#include "flame.h"
#include "folded.h"
#include "fuzz.h"

static const char *name_of(void *arg, const char *path, bool is_program,
                           uint64_t offset) {
    (void)arg;
    (void)path;
    FUZZ_CHECK(strlen(path) < 4096);
    return offset % 3 == 0 ? NULL : is_program ? "main" : "<lib>";
}

/* Every line is a stack below the root with its number. */
static void check_lines(const char *lines) {
    while (*lines != '\0') {
        const char *end = strchr(lines, '\n');
        FUZZ_CHECK(end != NULL && strncmp(lines, "root", 4) == 0);
        FUZZ_CHECK(lines[4] == ';' || lines[4] == ' ');
        lines = end + 1;
    }
}

static void draw(const char *lines) {
    twp_text svg = {0};
    twp_flame_draw(&svg, lines, "title", "subtitle");
    FUZZ_CHECK(strstr(svg.data, "</svg>\n") != NULL);
    for (size_t i = 0; i < svg.len; i++) {
        FUZZ_CHECK((unsigned char)svg.data[i] >= 32 || svg.data[i] == '\n');
    }
    twp_text_deinit(&svg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = strndup((const char *)data, size);
    twp_folded folded = {.samples = 0};
    if (text != NULL && twp_folded_add(&folded, text, "root", name_of, NULL) &&
        folded.lines.data != NULL) {
        check_lines(folded.lines.data);
        twp_folded_merge(&folded);
        check_lines(folded.lines.data);
        draw(folded.lines.data);
    }
    if (text != NULL) {
        draw(text);
    }
    twp_folded_deinit(&folded);
    free(text);
    return 0;
}
