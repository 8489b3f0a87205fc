/* SPDX-License-Identifier: MIT */
#include "floor_channel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BUCKETS 65536

typedef struct entry {
    floor_channel channel;
    uint32_t number;
    struct entry *next;
} entry;

/* Of one in several channels: the numbers of the further ones. */
typedef struct list {
    uint32_t len;
    uint32_t numbers[];
} list;

static entry *buckets[BUCKETS];
static entry **entries; /* by number; 0 is "bench" */
static uint32_t entries_len;
static uint32_t *own; /* by descriptor; written when it is not 0 */
static list **more;

void *floor_map(size_t size) {
    void *block = mmap(NULL, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (block == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    return block;
}

void *floor_resize(void *block, size_t size) {
    block = realloc(block, size);
    if (block == NULL) {
        perror("realloc");
        exit(1);
    }
    return block;
}

void floor_append(floor_bytes *bytes, const void *data, size_t len) {
    if (bytes->len + len > bytes->cap) {
        bytes->cap = (bytes->len + len) * 2;
        bytes->data = floor_resize(bytes->data, bytes->cap);
    }
    memcpy(bytes->data + bytes->len, data, len);
    bytes->len += len;
}

static uint32_t number_of(const char *name, size_t len) {
    uint32_t hash = 5381;
    len = len < sizeof entries[0]->channel.name ? len : 63;
    for (size_t i = 0; i < len; i++) {
        hash = hash * 33 + (unsigned char)name[i];
    }
    entry **bucket = &buckets[hash % BUCKETS], *e;
    for (e = *bucket; e != NULL; e = e->next) {
        if (strncmp(e->channel.name, name, len) == 0 &&
            e->channel.name[len] == 0) {
            return e->number;
        }
    }
    e = floor_resize(NULL, sizeof *e);
    memset(e, 0, sizeof *e);
    memcpy(e->channel.name, name, len);
    e->number = entries_len;
    e->next = *bucket;
    *bucket = e;
    entries = floor_resize(entries, (entries_len + 1) * sizeof(entry *));
    entries[entries_len++] = e;
    return e->number;
}

void floor_channels_init(size_t fds) {
    own = floor_map(fds * sizeof *own);
    more = floor_map(fds * sizeof *more);
    number_of("bench", 5);
}

floor_channel *floor_own_channel(int fd) {
    return &entries[own[fd]]->channel;
}

bool floor_has_several(int fd) {
    return more[fd] != NULL;
}

static void add(floor_channel *c, int fd) {
    if (c->len == c->cap) {
        c->cap = c->cap > 0 ? c->cap + c->cap / 4 + 1 : 4;
        c->members = floor_resize(c->members, c->cap * sizeof *c->members);
    }
    c->members[c->len++] = fd;
}

static void take(floor_channel *c, int fd) {
    for (size_t i = 0; i < c->len; i++) {
        if (c->members[i] == fd) {
            c->members[i] = c->members[--c->len];
            return;
        }
    }
}

void floor_join(int fd, const char *names, size_t len, bool is_member) {
    const char *end = names + len;
    for (bool is_first = true; names < end; is_first = false) {
        const char *comma = memchr(names, ',', (size_t)(end - names));
        comma = comma != NULL ? comma : end;
        uint32_t number = number_of(names, (size_t)(comma - names));
        if (is_first && number != own[fd]) {
            own[fd] = number;
        }
        if (!is_first) {
            list *l = more[fd];
            uint32_t count = l != NULL ? l->len : 0;
            l = floor_resize(l, sizeof *l + (count + 1) * sizeof(uint32_t));
            l->numbers[count] = number;
            l->len = count + 1;
            more[fd] = l;
        }
        if (is_member) {
            add(&entries[number]->channel, fd);
        }
        names = comma + 1;
    }
}

void floor_leave(int fd) {
    take(floor_own_channel(fd), fd);
    for (uint32_t i = 0; more[fd] != NULL && i < more[fd]->len; i++) {
        take(&entries[more[fd]->numbers[i]]->channel, fd);
    }
    if (more[fd] != NULL) {
        free(more[fd]);
        more[fd] = NULL;
    }
    if (own[fd] != 0) {
        own[fd] = 0;
    }
}
