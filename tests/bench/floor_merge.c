/* A floor that gathers: one system call per socket and turn for publications,
 * one per read for echoes.
 *
 * A channel's publications of a turn are one piece of memory, which goes to
 * each member as it is. For those who talked in the turn, and for those in
 * several channels, what is theirs is put together first.
 *
 * SPDX-License-Identifier: MIT */
#include "floor.h"

/* A publication that its own talker does not get. */
typedef struct mark {
    size_t start, end;
    int except;
    uint32_t next; /* the talker's next one + 1; 0: none */
} mark;

/* What waits for one descriptor. */
typedef struct parcel {
    int fd;
    floor_bytes bytes;
} parcel;

static floor_bytes echoes;
static floor_channel **dirty;
static size_t dirty_len, dirty_cap;
static uint32_t *first_mark, *last_mark; /* by descriptor; number + 1 */
static uint32_t *parcel_of;              /* by descriptor; number + 1 */
static parcel *parcels;
static size_t parcels_len, parcels_cap;

static mark *marks_of(floor_channel *channel) {
    return (mark *)(void *)channel->marks.data;
}

static void note_talker(floor_channel *channel, size_t start, int talker) {
    mark m = {start, channel->batch.len, talker, 0};
    uint32_t number = (uint32_t)(channel->marks.len / sizeof m) + 1;
    floor_append(&channel->marks, &m, sizeof m);
    if (first_mark[talker] == 0) {
        first_mark[talker] = number;
    } else {
        marks_of(channel)[last_mark[talker] - 1].next = number;
    }
    last_mark[talker] = number;
}

static void on_publish(floor_channel *channel, const uint8_t *frame, size_t len,
                       int except) {
    size_t start = channel->batch.len;
    if (start == 0) {
        if (dirty_len == dirty_cap) {
            dirty_cap = dirty_cap * 2 + 64;
            dirty = floor_resize(dirty, dirty_cap * sizeof(floor_channel *));
        }
        dirty[dirty_len++] = channel;
    }
    if (floor_hold_ns > 0 && floor_due_ns == 0) {
        floor_due_ns = floor_now_ns() + floor_hold_ns;
    }
    floor_append(&channel->batch, frame, len);
    if (except >= 0) {
        note_talker(channel, start, except);
    }
}

static void put(int fd, const uint8_t *data, size_t len) {
    if (len == 0) {
        return;
    }
    if (parcel_of[fd] == 0) {
        if (parcels_len == parcels_cap) {
            parcels =
                floor_resize(parcels, (parcels_cap + 1) * sizeof *parcels);
            parcels[parcels_cap++] = (parcel){0};
        }
        parcels[parcels_len++].fd = fd;
        parcel_of[fd] = (uint32_t)parcels_len;
    }
    floor_append(&parcels[parcel_of[fd] - 1].bytes, data, len);
}

/* The batch without what this member said itself. */
static void put_others(floor_channel *channel, int fd) {
    const mark *marks = marks_of(channel);
    size_t at = 0;
    uint32_t number = floor_own_channel(fd) == channel ? first_mark[fd] : 0;
    for (; number != 0; number = marks[number - 1].next) {
        put(fd, channel->batch.data + at, marks[number - 1].start - at);
        at = marks[number - 1].end;
    }
    put(fd, channel->batch.data + at, channel->batch.len - at);
}

static void send_batch(floor_channel *channel) {
    for (size_t i = 0; i < channel->len; i++) {
        int fd = channel->members[i];
        if (first_mark[fd] == 0 && !floor_has_several(fd)) {
            floor_send(fd, channel->batch.data, channel->batch.len);
        } else {
            put_others(channel, fd);
        }
    }
}

static void clear(floor_channel *channel) {
    for (size_t i = 0; i < channel->marks.len / sizeof(mark); i++) {
        first_mark[marks_of(channel)[i].except] = 0;
    }
    channel->marks.len = 0;
    channel->batch.len = 0;
}

static void send_parcels(void) {
    for (size_t i = 0; i < parcels_len; i++) {
        floor_send(parcels[i].fd, parcels[i].bytes.data, parcels[i].bytes.len);
        parcels[i].bytes.len = 0;
        parcel_of[parcels[i].fd] = 0;
    }
    parcels_len = 0;
}

static void on_turn(void) {
    if (dirty_len == 0 ||
        (floor_hold_ns > 0 && floor_now_ns() < floor_due_ns)) {
        return;
    }
    for (size_t i = 0; i < dirty_len; i++) {
        send_batch(dirty[i]);
    }
    for (size_t i = 0; i < dirty_len; i++) {
        clear(dirty[i]);
    }
    send_parcels();
    dirty_len = 0;
    floor_due_ns = 0;
}

static void on_echo(int fd, const uint8_t *frame, size_t len) {
    (void)fd;
    floor_append(&echoes, frame, len);
}

static void on_read_end(int fd) {
    if (echoes.len > 0) {
        floor_send(fd, echoes.data, echoes.len);
        echoes.len = 0;
    }
}

int main(int argc, char **argv) {
    static const floor_hooks hooks = {on_echo, on_publish, on_read_end,
                                      on_turn};
    first_mark = floor_map(FLOOR_FDS_MAX * sizeof *first_mark);
    last_mark = floor_map(FLOOR_FDS_MAX * sizeof *last_mark);
    parcel_of = floor_map(FLOOR_FDS_MAX * sizeof *parcel_of);
    return floor_main(argc, argv, &hooks);
}
