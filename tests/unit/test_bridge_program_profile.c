/* Folded stacks, their picture, and the functions of a file.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../../lua/program/flame.c"
#include "../../lua/program/folded.c"
#include "../../lua/program/symbols.c"
#include "../../lua/program/text.c"

/* ---- folded ------------------------------------------------------------- */

static const char *give_name(void *arg, const char *path, bool is_program,
                             uint64_t offset) {
    assert_string_equal(arg, "arg");
    static char name[64];
    if (offset == 0xdead) {
        return NULL;
    }
    snprintf(name, sizeof name, "%s_%d_%" PRIx64, base_name(path), is_program,
             offset);
    return name;
}

static void assert_folded(const char *text, const char *lines,
                          unsigned long long samples) {
    twp_folded folded = {.samples = 0};
    assert_true(twp_folded_add(&folded, text, "root", give_name, "arg"));
    assert_string_equal(folded.lines.data != NULL ? folded.lines.data : "",
                        lines);
    assert_int_equal(folded.samples, samples);
    twp_folded_deinit(&folded);
}

static void places_become_names(void **state) {
    (void)state;
    assert_folded("tidewire-profile 1\ntick 10\nlost 2\n"
                  "module 0 program /bin/x y\nmodule 1 library /lib/c.so\n"
                  "stack 3 m0+1f;f a.lua:1;m1+a\nstack 1 m1+dead\n",
                  "root;x y_1_1f;f a.lua:1;c.so_0_a [c.so] 3\n"
                  "root;[c.so] 1\n",
                  4);
}

static void the_same_by_name_is_one(void **state) {
    (void)state;
    twp_folded folded = {.samples = 0};
    twp_folded_merge(&folded);
    assert_null(folded.lines.data);
    assert_true(twp_folded_add(&folded,
                               "tidewire-profile 1\nstack 3 b 1;c\nstack 1 a\n"
                               "stack 2 b 1;c\nstack 1 \n",
                               "r", give_name, "arg"));
    twp_folded_merge(&folded);
    assert_string_equal(folded.lines.data, "r 1\nr;a 1\nr;b 1;c 5\n");
    twp_folded_deinit(&folded);
}

static void what_is_no_place_is_a_name(void **state) {
    (void)state;
    assert_folded("tidewire-profile 1\nmodule 0 library /l\n"
                  "stack 1 m;m0;m0+;m0+g;m99+1;m0+1+1;mm;;x\n",
                  "root;m;m0;m0+;m0+g;m99+1;m0+1+1;mm;;x 1\n", 1);
    assert_folded("tidewire-profile 1\nstack 0 a\nstack x a\nstack 1\nstack\n"
                  "what 1\nmodule\nmodule 99 library /x\n\n",
                  "", 0);
}

static void another_text_is_no_profile(void **state) {
    (void)state;
    twp_folded folded = {.samples = 0};
    assert_false(twp_folded_add(&folded, "", "root", give_name, "arg"));
    assert_false(twp_folded_add(&folded, "tidewire-profile 2\n", "root",
                                give_name, "arg"));
}

/* ---- flame -------------------------------------------------------------- */

static twp_text draw(const char *lines) {
    twp_text out = {0};
    twp_flame_draw(&out, lines, "A <title>", "and \"more\"");
    return out;
}

static void assert_has(const twp_text *out, const char *part) {
    if (strstr(out->data, part) == NULL) {
        fail_msg("no %s in:\n%.3000s", part, out->data);
    }
}

static void a_box_is_as_wide_as_its_share(void **state) {
    (void)state;
    twp_text out = draw("a;b 1\na;c 3\n");
    assert_has(&out, "<title>a (4 samples, 100.00%)</title>"
                     "<rect x=\"10.00\" y=\"81\" width=\"1180.00\"");
    assert_has(&out, "<title>b (1 samples, 25.00%)</title>"
                     "<rect x=\"10.00\" y=\"64\" width=\"295.00\"");
    assert_has(&out, "<title>c (3 samples, 75.00%)</title>"
                     "<rect x=\"305.00\" y=\"64\" width=\"885.00\"");
    assert_has(&out, "A &lt;title&gt;</text>");
    assert_has(&out, "and &quot;more&quot;</text>");
    twp_text_deinit(&out);
}

static void names_cannot_break_the_picture(void **state) {
    (void)state;
    twp_text out = draw("</title><script>&\x01\xff\xed\xa0\x80\xef\xbf\xbf"
                        "\xc3\xa9 2\n");
    assert_has(&out, "<title>&lt;/title&gt;&lt;script&gt;&amp;????????\xc3\xa9 "
                     "(2 samples");
    twp_text_deinit(&out);
}

static void what_is_no_stack_is_left_out(void **state) {
    (void)state;
    twp_text out = draw("\n 5\nx\nx y\nx -1\nx 0\nx 99999999999999999999\n");
    assert_null(strstr(out.data, "<g class"));
    assert_has(&out, "</svg>\n");
    twp_text_deinit(&out);
}

/* ---- symbols ------------------------------------------------------------ */

/* A file with two functions in .symtab, at 0x1000 of a part that lies at
 * 0x2000. */
typedef struct elf {
    Elf64_Ehdr head;
    Elf64_Phdr part;
    Elf64_Shdr sections[3];
    Elf64_Sym symbols[3];
    char strings[16];
} elf;

static elf make_elf(void) {
    elf e = {.head = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64},
                      .e_phoff = offsetof(elf, part),
                      .e_phentsize = sizeof(Elf64_Phdr),
                      .e_phnum = 1,
                      .e_shoff = offsetof(elf, sections),
                      .e_shentsize = sizeof(Elf64_Shdr),
                      .e_shnum = 3},
             .part = {.p_type = PT_LOAD,
                      .p_offset = 0x1000,
                      .p_vaddr = 0x2000,
                      .p_filesz = 0x1000}};
    e.sections[1] = (Elf64_Shdr){.sh_type = SHT_SYMTAB,
                                 .sh_offset = offsetof(elf, symbols),
                                 .sh_size = sizeof e.symbols,
                                 .sh_link = 2};
    e.sections[2] = (Elf64_Shdr){.sh_type = SHT_STRTAB,
                                 .sh_offset = offsetof(elf, strings),
                                 .sh_size = sizeof e.strings};
    e.symbols[1] = (Elf64_Sym){.st_name = 5,
                               .st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC),
                               .st_value = 0x2010,
                               .st_size = 8};
    e.symbols[2] = (Elf64_Sym){.st_name = 1,
                               .st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC),
                               .st_value = 0x2000,
                               .st_size = 16};
    memcpy(e.strings, "\0one\0two", 9);
    return e;
}

static void a_function_is_found_by_its_place(void **state) {
    (void)state;
    elf e = make_elf();
    twp_symbols *s = twp_symbols_read(&e, sizeof e);
    assert_string_equal(twp_symbols_find(s, 0x1000), "one");
    assert_string_equal(twp_symbols_find(s, 0x100f), "one");
    assert_string_equal(twp_symbols_find(s, 0x1010), "two");
    assert_string_equal(twp_symbols_find(s, 0x1017), "two");
    assert_null(twp_symbols_find(s, 0x1018));
    assert_null(twp_symbols_find(s, 0));
    assert_null(twp_symbols_find(s, UINT64_MAX));
    twp_symbols_free(s);
}

static void assert_nothing(const void *data, size_t len) {
    twp_symbols *s = twp_symbols_read(data, len);
    assert_null(twp_symbols_find(s, 0x1000));
    twp_symbols_free(s);
}

static void a_broken_file_has_no_functions(void **state) {
    (void)state;
    elf e = make_elf();
    for (size_t len = 0; len < offsetof(elf, strings); len += 7) {
        assert_nothing(&e, len);
    }
    e.head.e_shoff = UINT64_MAX - 10;
    assert_nothing(&e, sizeof e);
    e = make_elf();
    e.sections[1].sh_size = UINT64_MAX;
    assert_nothing(&e, sizeof e);
    e = make_elf();
    e.sections[1].sh_link = 77;
    assert_nothing(&e, sizeof e);
    e = make_elf();
    memset(e.strings, 'x', sizeof e.strings); /* no end */
    assert_nothing(&e, sizeof e);
    e = make_elf();
    e.symbols[2].st_name = 1000;
    assert_nothing(&e, sizeof e);
}

static void our_own_functions_have_names(void **state) {
    (void)state;
    twp_symbols *s = twp_symbols_open("/proc/self/exe");
    assert_non_null(s);
    size_t i = 0;
    while (i < s->count && strcmp(s->functions[i].name, "make_elf") != 0) {
        i++;
    }
    assert_true(i < s->count);
    twp_symbols_free(s);
    assert_null(twp_symbols_open("/nowhere/at/all"));
    assert_null(twp_symbols_open("/dev/null"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_become_names),
        cmocka_unit_test(the_same_by_name_is_one),
        cmocka_unit_test(what_is_no_place_is_a_name),
        cmocka_unit_test(another_text_is_no_profile),
        cmocka_unit_test(a_box_is_as_wide_as_its_share),
        cmocka_unit_test(names_cannot_break_the_picture),
        cmocka_unit_test(what_is_no_stack_is_left_out),
        cmocka_unit_test(a_function_is_found_by_its_place),
        cmocka_unit_test(a_broken_file_has_no_functions),
        cmocka_unit_test(our_own_functions_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
