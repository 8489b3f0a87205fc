/* SPDX-License-Identifier: MIT */
#include "symbols.h"

#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "text.h"

typedef struct function {
    uint64_t at, size;
    const char *name;
} function;

struct twp_symbols {
    const unsigned char *data;
    size_t len;
    void *mapped; /* NULL: borrowed */
    function *functions;
    size_t count;
};

/* A copy, since nothing in a file need be aligned. False: it is not in it. */
static bool get(const twp_symbols *s, uint64_t at, void *out, size_t size) {
    if (at > s->len || s->len - at < size) {
        return false;
    }
    memcpy(out, s->data + at, size);
    return true;
}

static bool get_section(const twp_symbols *s, const Elf64_Ehdr *head,
                        uint64_t i, Elf64_Shdr *out) {
    return i < head->e_shnum && head->e_shentsize == sizeof *out &&
           head->e_shoff <= s->len &&
           get(s, head->e_shoff + i * sizeof *out, out, sizeof *out) &&
           out->sh_offset <= s->len && out->sh_size <= s->len - out->sh_offset;
}

static bool find_section(const twp_symbols *s, const Elf64_Ehdr *head,
                         uint32_t type, Elf64_Shdr *out) {
    for (uint64_t i = 0; i < head->e_shnum; i++) {
        if (get_section(s, head, i, out) && out->sh_type == type) {
            return true;
        }
    }
    return false;
}

/* A string that ends within its section, or NULL. */
static const char *text_at(const twp_symbols *s, const Elf64_Shdr *strings,
                           uint64_t at) {
    if (at >= strings->sh_size) {
        return NULL;
    }
    const char *text = (const char *)s->data + strings->sh_offset + at;
    return memchr(text, '\0', strings->sh_size - at) != NULL ? text : NULL;
}

static int by_place(const void *a, const void *b) {
    const function *x = a, *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

static void take(twp_symbols *s, const Elf64_Shdr *table,
                 const Elf64_Shdr *strings) {
    size_t count = table->sh_size / sizeof(Elf64_Sym);
    s->functions = twp_alloc((count + 1) * sizeof *s->functions);
    for (size_t i = 0; i < count; i++) {
        Elf64_Sym symbol;
        const char *name = NULL;
        if (get(s, table->sh_offset + i * sizeof symbol, &symbol,
                sizeof symbol) &&
            ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_size > 0) {
            name = text_at(s, strings, symbol.st_name);
        }
        if (name != NULL && *name != '\0') {
            s->functions[s->count++] =
                (function){symbol.st_value, symbol.st_size, name};
        }
    }
    qsort(s->functions, s->count, sizeof *s->functions, by_place);
}

static bool get_head(const twp_symbols *s, Elf64_Ehdr *head) {
    return get(s, 0, head, sizeof *head) &&
           memcmp(head->e_ident, ELFMAG, SELFMAG) == 0 &&
           head->e_ident[EI_CLASS] == ELFCLASS64;
}

static void read_all(twp_symbols *s) {
    Elf64_Ehdr head;
    Elf64_Shdr table, strings;
    if (get_head(s, &head) &&
        (find_section(s, &head, SHT_SYMTAB, &table) ||
         find_section(s, &head, SHT_DYNSYM, &table)) &&
        get_section(s, &head, table.sh_link, &strings)) {
        take(s, &table, &strings);
    }
}

twp_symbols *twp_symbols_read(const void *data, size_t len) {
    twp_symbols *s = twp_alloc(sizeof *s);
    s->data = data;
    s->len = len;
    read_all(s);
    return s;
}

twp_symbols *twp_symbols_open(const char *path) {
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return NULL;
    }
    void *data = MAP_FAILED;
    if (fstat(fd, &about) == 0 && about.st_size > 0) {
        data = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    }
    close(fd);
    if (data == MAP_FAILED) {
        return NULL;
    }
    twp_symbols *s = twp_symbols_read(data, (size_t)about.st_size);
    s->mapped = data;
    return s;
}

void twp_symbols_free(twp_symbols *s) {
    if (s == NULL) {
        return;
    }
    if (s->mapped != NULL) {
        munmap(s->mapped, s->len);
    }
    free(s->functions);
    free(s);
}

/* Symbols have addresses; the file's parts say which lie where. */
static uint64_t address_of(const twp_symbols *s, uint64_t offset) {
    Elf64_Ehdr head;
    Elf64_Phdr part;
    if (!get_head(s, &head) || head.e_phentsize != sizeof part ||
        head.e_phoff > s->len) {
        return offset;
    }
    for (uint64_t i = 0; i < head.e_phnum; i++) {
        if (get(s, head.e_phoff + i * sizeof part, &part, sizeof part) &&
            part.p_type == PT_LOAD && offset >= part.p_offset &&
            offset - part.p_offset < part.p_filesz) {
            return offset - part.p_offset + part.p_vaddr;
        }
    }
    return offset;
}

const char *twp_symbols_find(const twp_symbols *s, uint64_t offset) {
    uint64_t at = address_of(s, offset);
    size_t low = 0, high = s->count;
    while (low < high) { /* the first one beyond */
        size_t middle = low + (high - low) / 2;
        if (s->functions[middle].at <= at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0) {
        return NULL;
    }
    const function *f = &s->functions[low - 1];
    return at - f->at < f->size ? f->name : NULL;
}
