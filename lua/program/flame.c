/* SPDX-License-Identifier: MIT */
#include "flame.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 1200, MARGIN = 10, ROW = 17, HEAD = 64, FOOT = 24 };
enum { DEEPEST = 400 };
#define INNER ((double)(WIDTH - 2 * MARGIN))
#define LEAST 0.2     /* a box that is not so wide is not seen */
#define CHARACTER 7.3 /* how wide one is */

/* A tree by first child and next sibling. */
typedef struct box {
    struct box *child, *next;
    unsigned long long count;
    const char *name; /* borrowed from the lines */
    size_t len;
} box;

static box *child_of(box *parent, const char *name, size_t len) {
    box **at = &parent->child;
    for (; *at != NULL; at = &(*at)->next) {
        if ((*at)->len == len && memcmp((*at)->name, name, len) == 0) {
            return *at;
        }
    }
    box *new_box = twp_alloc(sizeof *new_box);
    new_box->name = name;
    new_box->len = len;
    return *at = new_box;
}

static void free_children(box *parent) {
    box *at = parent->child;
    while (at != NULL) {
        box *next = at->next;
        free_children(at);
        free(at);
        at = next;
    }
}

/* ---- reading ------------------------------------------------------------ */

static void add_stack(box *root, const char *line, size_t len,
                      unsigned long long count) {
    const char *end = line + len;
    box *at = root;
    at->count += count;
    for (int depth = 0; line < end && depth < DEEPEST; depth++) {
        const char *stop = memchr(line, ';', (size_t)(end - line));
        size_t frame = (size_t)((stop != NULL ? stop : end) - line);
        at = child_of(at, line, frame);
        at->count += count;
        line += frame + 1;
    }
}

/* "a;b;c 12" */
static void add_line(box *root, const char *line, size_t len) {
    const char *space = memrchr(line, ' ', len);
    if (space == NULL || space == line) {
        return;
    }
    char *end;
    unsigned long long count = strtoull(space + 1, &end, 10);
    if (end == line + len && count > 0 && count < 1ull << 40) {
        add_stack(root, line, (size_t)(space - line), count);
    }
}

static void read_lines(box *root, const char *lines) {
    while (*lines != '\0') {
        size_t len = strcspn(lines, "\n");
        add_line(root, lines, len);
        lines += len + (lines[len] == '\n');
    }
}

static int by_name(const void *a, const void *b) {
    const box *x = *(box *const *)a, *y = *(box *const *)b;
    size_t len = x->len < y->len ? x->len : y->len;
    int order = memcmp(x->name, y->name, len);
    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

/* In the order of their names, so that two pictures can be compared. */
static void sort(box *parent) {
    size_t count = 0, i = 0;
    for (box *at = parent->child; at != NULL; at = at->next) {
        sort(at);
        count++;
    }
    if (count < 2) {
        return;
    }
    box **list = twp_alloc(count * sizeof(box *));
    for (box *at = parent->child; at != NULL; at = at->next) {
        list[i++] = at;
    }
    qsort(list, count, sizeof(box *), by_name);
    for (i = 0; i < count; i++) {
        list[i]->next = i + 1 < count ? list[i + 1] : NULL;
    }
    parent->child = list[0];
    free(list);
}

/* Rows that are drawn. */
static int depth_of(const box *parent, double scale) {
    int deepest = 0;
    for (const box *at = parent->child; at != NULL; at = at->next) {
        int depth =
            (double)at->count * scale >= LEAST ? 1 + depth_of(at, scale) : 0;
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest;
}

/* ---- writing ------------------------------------------------------------ */

/* How long the UTF-8 character is that XML may hold; 0: it is none. */
static size_t character(const unsigned char *at, size_t len) {
    unsigned char c = *at;
    size_t need = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    if (c < 32 || c == 127 || (c >= 0x80 && c < 0xC2) || c > 0xF4 ||
        need > len) {
        return 0;
    }
    for (size_t i = 1; i < need; i++) {
        if ((at[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    bool is_bad = (c == 0xE0 && at[1] < 0xA0) || (c == 0xED && at[1] > 0x9F) ||
                  (c == 0xF0 && at[1] < 0x90) || (c == 0xF4 && at[1] > 0x8F) ||
                  (c == 0xEF && at[1] == 0xBF && at[2] >= 0xBE);
    return is_bad ? 0 : need;
}

static void add_text(twp_text *out, const char *text, size_t len) {
    for (size_t i = 0; i < len;) {
        size_t n = character((const unsigned char *)text + i, len - i);
        switch (text[i]) {
        case '&':
            twp_text_puts(out, "&amp;");
            break;
        case '<':
            twp_text_puts(out, "&lt;");
            break;
        case '>':
            twp_text_puts(out, "&gt;");
            break;
        case '"':
            twp_text_puts(out, "&quot;");
            break;
        default:
            twp_text_add(out, n > 0 ? text + i : "?", n > 0 ? n : 1);
        }
        i += n > 0 ? n : 1;
    }
}

/* As much of a name as fits, whole characters. */
static size_t fitting(const char *name, size_t len, double width) {
    size_t room = width > 3 * CHARACTER ? (size_t)(width / CHARACTER) : 0;
    if (len <= room) {
        return len;
    }
    size_t cut = room > 2 ? room - 2 : 0;
    while (cut > 0 && ((unsigned char)name[cut] & 0xC0) == 0x80) {
        cut--;
    }
    return cut;
}

static bool contains(const box *b, char c) {
    return memchr(b->name, c, b->len) != NULL;
}

/* Lua is warm ("name file:line"), libraries are grey, our C is blue, what is no
 * function is violet; the shade is by the name. */
static void add_colour(twp_text *out, const box *b) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < b->len; i++) {
        hash = (hash ^ (unsigned char)b->name[i]) * 16777619u;
    }
    unsigned shade = hash % 40;
    bool is_note = b->len > 0 && (*b->name == '(' || *b->name == ' ');
    bool is_lua =
        contains(b, ':') ||
        (b->len > 4 && memcmp(b->name + b->len - 4, " [C]", 4) == 0) ||
        (b->len > 11 && memcmp(b->name, "main chunk ", 11) == 0);
    bool is_library = contains(b, '[');
    unsigned hue = is_note ? 275 : is_lua ? 20 + shade / 2 : 205 + shade / 2;
    unsigned part = !is_note && !is_lua && is_library ? 12 : 75;
    twp_text_printf(out, "hsl(%u,%u%%,%u%%)", hue, part, 66 + shade % 13);
}

typedef struct drawing {
    twp_text *out;
    double scale; /* pixels a sample */
    unsigned long long total;
    int height;
} drawing;

static void draw_box(const drawing *d, const box *b, double x, int row) {
    double width = (double)b->count * d->scale;
    int y = d->height - FOOT - (row + 1) * ROW;
    size_t shown = fitting(b->name, b->len, width);
    twp_text_puts(d->out, "<g class=\"f\"><title>");
    add_text(d->out, b->name, b->len);
    twp_text_printf(d->out, " (%llu samples, %.2f%%)</title>", b->count,
                    100 * (double)b->count / (double)d->total);
    twp_text_printf(d->out,
                    "<rect x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\" "
                    "fill=\"",
                    x, y, width, ROW - 1);
    add_colour(d->out, b);
    twp_text_printf(d->out, "\"/><text x=\"%.2f\" y=\"%d\">", x + 3,
                    y + ROW - 5);
    add_text(d->out, b->name, shown);
    twp_text_puts(d->out, shown < b->len && shown > 0 ? "..</text></g>\n"
                                                      : "</text></g>\n");
}

static void draw_children(const drawing *d, const box *parent, double x,
                          int row) {
    for (const box *at = parent->child; at != NULL; at = at->next) {
        double width = (double)at->count * d->scale;
        if (width >= LEAST) {
            draw_box(d, at, x, row);
            draw_children(d, at, x, row + 1);
        }
        x += width;
    }
}

/* Zooming lays the boxes out anew from what they are in the file: those within
 * the one that was clicked, and those below it as wide as the picture. */
static const char script[] =
    "<script><![CDATA[\n"
    "(function () {\n"
    "  var root = document.documentElement, W = 1200, M = 10;\n"
    "  var boxes = [].slice.call(root.querySelectorAll('g.f')).map(function "
    "(g) {\n"
    "    var r = g.querySelector('rect'), t = g.querySelector('text');\n"
    "    var title = g.querySelector('title').textContent;\n"
    "    return { g: g, r: r, t: t, x: +r.getAttribute('x'), "
    "w: +r.getAttribute('width'),\n"
    "      y: +r.getAttribute('y'), fill: r.getAttribute('fill'), title: "
    "title,\n"
    "      name: title.replace(/ \\(\\d+ samples, [\\d.]+%\\)$/, '') };\n"
    "  });\n"
    "  var found = root.getElementById('found'), reset = "
    "root.getElementById('reset');\n"
    "  function label(b, w) {\n"
    "    var n = Math.floor(w / 7.3);\n"
    "    return b.name.length <= n ? b.name : n < 4 ? '' : "
    "b.name.slice(0, n - 2) + '..';\n"
    "  }\n"
    "  function zoom(to) {\n"
    "    boxes.forEach(function (b) {\n"
    "      var x = b.x, w = b.w, e = 0.01, shown = true;\n"
    "      if (to) {\n"
    "        var above = b.y <= to.y && b.x >= to.x - e && b.x + b.w <= to.x + "
    "to.w + e;\n"
    "        var below = b.y > to.y && b.x <= to.x + e && b.x + b.w >= to.x + "
    "to.w - e;\n"
    "        shown = above || below;\n"
    "        x = below ? M : M + (b.x - to.x) * (W - 2 * M) / to.w;\n"
    "        w = below ? W - 2 * M : b.w * (W - 2 * M) / to.w;\n"
    "      }\n"
    "      b.g.style.display = shown ? '' : 'none';\n"
    "      b.r.setAttribute('x', x); b.r.setAttribute('width', w);\n"
    "      b.t.setAttribute('x', x + 3); b.t.textContent = label(b, w);\n"
    "    });\n"
    "    reset.style.display = to ? '' : 'none';\n"
    "  }\n"
    "  function search() {\n"
    "    var term = window.prompt('Mark functions whose name contains', '');\n"
    "    if (term === null) return;\n"
    "    var n = 0;\n"
    "    boxes.forEach(function (b) {\n"
    "      var hit = term !== '' && b.name.indexOf(term) >= 0;\n"
    "      n += hit; b.r.setAttribute('fill', hit ? '#e0f' : b.fill);\n"
    "    });\n"
    "    found.textContent = term === '' ? '' : n + ' boxes contain ' + "
    "term;\n"
    "  }\n"
    "  boxes.forEach(function (b) { b.g.addEventListener('click', function () "
    "{ zoom(b); }); });\n"
    "  reset.addEventListener('click', function () { zoom(null); });\n"
    "  reset.style.display = 'none';\n"
    "  var s = root.getElementById('search');\n"
    "  s.style.display = '';\n"
    "  s.addEventListener('click', search);\n"
    "})();\n"
    "]]></script>\n";

static void draw_head(twp_text *out, int height, const char *title,
                      const char *subtitle) {
    twp_text_printf(
        out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
        "height=\"%d\" viewBox=\"0 0 %d %d\">\n"
        "<style>text{font:12px monospace;fill:#111;pointer-events:none}"
        ".f rect{cursor:pointer;stroke:#fff;stroke-width:.5}"
        ".b{cursor:pointer;pointer-events:all;fill:#05c}"
        ".h{font-size:17px}</style>\n"
        "<rect width=\"100%%\" height=\"100%%\" fill=\"#fcfcfa\"/>\n"
        "<text class=\"h\" x=\"%d\" y=\"24\">",
        WIDTH, height, WIDTH, height, MARGIN);
    add_text(out, title, strlen(title));
    twp_text_printf(out, "</text>\n<text x=\"%d\" y=\"44\">", MARGIN);
    add_text(out, subtitle, strlen(subtitle));
    twp_text_printf(out,
                    "</text>\n<text id=\"reset\" class=\"b\" x=\"%d\" y=\"24\" "
                    "style=\"display:none\">show all</text>\n"
                    "<text id=\"search\" class=\"b\" x=\"%d\" y=\"24\" "
                    "style=\"display:none\">search</text>\n"
                    "<text id=\"found\" x=\"%d\" y=\"%d\"></text>\n",
                    WIDTH - 160, WIDTH - 70, MARGIN, height - 8);
}

void twp_flame_draw(twp_text *out, const char *lines, const char *title,
                    const char *subtitle) {
    box root = {0};
    read_lines(&root, lines);
    sort(&root);
    drawing d = {.out = out, .total = root.count};
    d.scale = root.count > 0 ? INNER / (double)root.count : 0;
    d.height = HEAD + FOOT + ROW * depth_of(&root, d.scale);
    draw_head(out, d.height, title, subtitle);
    draw_children(&d, &root, MARGIN, 0);
    twp_text_puts(out, script);
    twp_text_puts(out, "</svg>\n");
    free_children(&root);
}
