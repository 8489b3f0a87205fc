/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "board.h"
#include "payload.h"

#define ALL                                                                    \
    (TW__BENCH_ECHO | TW__BENCH_FANOUT | TW__BENCH_ROOMS | TW__BENCH_IDLE |    \
     TW__BENCH_CHURN)
#define PUBLISHING (TW__BENCH_FANOUT | TW__BENCH_ROOMS)
#define LOADED (TW__BENCH_ECHO | PUBLISHING | TW__BENCH_CHURN)
#define SAYING (TW__BENCH_ECHO | PUBLISHING)

/* A million connections in 64 processes is more than one machine holds. */
#define CONNECTIONS_MAX 1000000
#define ROOM_MAX 10000 /* each pair of members has an account */
#define OVERLAP_MAX 64 /* names of all rooms stand in the request */
#define SIZE_MAX_BYTES (8 << 20)

typedef enum type { NUMBER, SECONDS, RATE, TEXT, FLAG } type;

typedef struct spec {
    const char *name;
    type type;
    int kinds; /* modes that know it */
    size_t at; /* in tw__bench_options */
    uint64_t min, max;
    const char *preset; /* as it would be typed; NULL: zero */
    const char *help;
} spec;

#define AT(field) offsetof(tw__bench_options, field)

static const spec specs[] = {
    {"url", TEXT, ALL, AT(url), 0, 0, "ws://127.0.0.1:8080/",
     "where the server is; of wss:// the certificate is not checked"},
    {"connections", NUMBER, TW__BENCH_ECHO | TW__BENCH_IDLE | TW__BENCH_CHURN,
     AT(connections), 1, CONNECTIONS_MAX, "100", "open at the same time"},
    {"subscribers", NUMBER, TW__BENCH_FANOUT, AT(connections), 1,
     CONNECTIONS_MAX, "1000", "connections that receive"},
    {"rooms", NUMBER, TW__BENCH_ROOMS, AT(rooms), 1, CONNECTIONS_MAX, "100",
     "channels, each with members of its own"},
    {"members", NUMBER, TW__BENCH_ROOMS, AT(members), 2, ROOM_MAX, "10",
     "connections in a room, all of them talking"},
    {"overlap", FLAG, TW__BENCH_ROOMS, AT(overlap), 0, 0, NULL,
     "as many connections as rooms: each is in --members of them and talks in "
     "one; gets ?channel=NAME,NAME,..."},
    {"publishers", NUMBER, TW__BENCH_FANOUT, AT(publishers), 1,
     TW__BENCH_PUBLISHERS_MAX, "1", "connections that publish"},
    {"in-flight", NUMBER, SAYING, AT(in_flight), 1, 65536, "1",
     "echo: messages under way per connection; fanout: publications sent "
     "together, the next ones when all have arrived everywhere"},
    {"rate", RATE, TW__BENCH_FANOUT, AT(rate), 0, 10000000, NULL,
     "publications a second in all, whether they arrive or not"},
    {"size", NUMBER, SAYING, AT(size), TW__BENCH_PAYLOAD_MIN, SIZE_MAX_BYTES,
     "64", "bytes of a message"},
    {"deflate", FLAG, ALL, AT(deflate), 0, 0, NULL,
     "ask for compression, and expand what comes compressed"},
    {"binary", FLAG, TW__BENCH_ECHO, AT(binary), 0, 0, NULL,
     "binary messages in place of text"},
    {"seconds", SECONDS, ALL, AT(seconds), 0, 1000000, "5", "to measure"},
    {"warmup", SECONDS, LOADED, AT(warmup), 0, 100000, "1",
     "of the same load before measuring"},
    {"settle", SECONDS, PUBLISHING | TW__BENCH_IDLE, AT(settle), 0, 100000,
     "0.5", "of silence before memory is looked at"},
    {"drain", SECONDS, SAYING, AT(drain), 0, 100000, "5",
     "without any arrival, at the end, until what is missing is lost"},
    {"sub-path", TEXT, TW__BENCH_FANOUT, AT(sub_path), 0, 0, "/sub",
     "path of subscribers, behind the URL's"},
    {"path", TEXT, TW__BENCH_ROOMS, AT(sub_path), 0, 0, "/room",
     "path of members, behind the URL's; gets ?channel="},
    {"pub-path", TEXT, TW__BENCH_FANOUT, AT(pub_path), 0, 0, "/pub",
     "path of publishers"},
    {"channel", TEXT, TW__BENCH_FANOUT, AT(channel), 0, 0, NULL,
     "passed to both paths as ?channel="},
    {"ledger", FLAG, PUBLISHING, AT(ledger), 0, 0, NULL,
     "print what became of the publications, receiver by receiver"},
    {"allow-loss", FLAG, PUBLISHING, AT(allow_loss), 0, 0, NULL,
     "deliveries may be lost"},
    {"allow-disconnect", FLAG, ALL, AT(allow_disconnect), 0, 0, NULL,
     "connections may be lost, and what they would have received"},
    {"reconnect", FLAG, TW__BENCH_FANOUT, AT(reconnect), 0, 0, NULL,
     "open lost connections again"},
    {"slow", NUMBER, TW__BENCH_FANOUT, AT(slow), 0, CONNECTIONS_MAX, NULL,
     "of the subscribers do not read; they are reported apart"},
    {"slow-rate", NUMBER, TW__BENCH_FANOUT, AT(slow_rate), 0, UINT32_MAX, NULL,
     "bytes a second which each of them reads after all"},
    {"pid", TEXT, ALL, AT(pid), 0, 0, NULL,
     "processes of the server (P,P,...), for its CPU and memory"},
    {"server-pid", NUMBER, ALL, AT(server_pid), 1, INT32_MAX, NULL,
     "the same with all descendants of one process"},
    {"cpu", TEXT, ALL, AT(cpu), 0, 0, NULL,
     "run on these cores only (N,N,...), one process after the other"},
    {"processes", NUMBER, ALL, AT(processes), 1, TW__BENCH_HANDS_MAX, NULL,
     "to spread the connections over; by default as descriptors demand"},
    {"sources", NUMBER, ALL, AT(sources), 1, 4096, NULL,
     "addresses 127.0.0.x to connect from; by default as ports demand"},
    {"concurrency", NUMBER, ALL, AT(concurrency), 1, 10000, "64",
     "handshakes at the same time, in each process"},
    {"json", FLAG, ALL, AT(json), 0, 0, NULL, "print one JSON object"},
    {"help", FLAG, ALL, AT(help), 0, 0, NULL, "print this"},
};

#define SPECS (sizeof specs / sizeof *specs)

static const struct {
    const char *name;
    tw__bench_kind kind;
    const char *help;
} kinds[] = {
    {"echo", TW__BENCH_ECHO, "round trips through a server that echoes"},
    {"fanout", TW__BENCH_FANOUT, "publications to many subscribers"},
    {"idle", TW__BENCH_IDLE, "open connections and hold them"},
    {"rooms", TW__BENCH_ROOMS, "many rooms in which everybody talks"},
    {"churn", TW__BENCH_CHURN, "connect and close, over and over"},
};

#define KINDS (sizeof kinds / sizeof *kinds)

const char *tw__bench_kind_name(tw__bench_kind kind) {
    size_t i = 0;
    while (i < KINDS - 1 && kinds[i].kind != kind) {
        i++;
    }
    return kinds[i].name;
}

/* Levenshtein's distance, of names that are short. */
static size_t distance(const char *a, const char *b) {
    enum { MAX = 32 };
    size_t row[MAX + 1], b_len = strnlen(b, MAX);
    for (size_t j = 0; j <= b_len; j++) {
        row[j] = j;
    }
    for (size_t i = 0; a[i] != 0; i++) {
        size_t corner = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < b_len; j++) {
            size_t cost = corner + (a[i] != b[j]);
            corner = row[j + 1];
            size_t step = (row[j] < corner ? row[j] : corner) + 1;
            row[j + 1] = cost < step ? cost : step;
        }
    }
    return row[b_len];
}

/* Keeps the nearer of two names; too far is none. */
static void consider(const char *wrong, const char *name, const char **best,
                     size_t *best_distance) {
    size_t d = distance(wrong, name);
    if (d < *best_distance && d <= 2 + strlen(name) / 4) {
        *best = name;
        *best_distance = d;
    }
}

static bool unknown_kind(const char *name, char *why, size_t size) {
    const char *best = NULL;
    size_t d = SIZE_MAX;
    for (size_t i = 0; i < KINDS; i++) {
        consider(name, kinds[i].name, &best, &d);
    }
    snprintf(why, size, "unknown mode '%s'%s%s%s", name,
             best != NULL ? ", did you mean '"
                          : "; echo, fanout, idle, rooms, churn",
             best != NULL ? best : "", best != NULL ? "'?" : "");
    return false;
}

static bool unknown_option(const char *name, tw__bench_kind kind, char *why,
                           size_t size) {
    const char *best = NULL;
    size_t d = SIZE_MAX;
    for (size_t i = 0; i < SPECS; i++) {
        if ((specs[i].kinds & kind) != 0) {
            consider(name, specs[i].name, &best, &d);
        } else if (strcmp(specs[i].name, name) == 0) {
            snprintf(why, size, "--%s is no option of %s", name,
                     tw__bench_kind_name(kind));
            return false;
        }
    }
    snprintf(why, size, "unknown option --%s%s%s%s", name,
             best != NULL ? ", did you mean --" : "", best != NULL ? best : "",
             best != NULL ? "?" : "");
    return false;
}

static const spec *find(const char *name, tw__bench_kind kind) {
    for (size_t i = 0; i < SPECS; i++) {
        if (strcmp(specs[i].name, name) == 0 && (specs[i].kinds & kind) != 0) {
            return &specs[i];
        }
    }
    return NULL;
}

static bool set_number(const spec *s, void *field, const char *value) {
    char *end;
    errno = 0;
    unsigned long long number = strtoull(value, &end, 10);
    if (!isdigit((unsigned char)*value) || *end != 0 || errno != 0 ||
        number < s->min || number > s->max) {
        return false;
    }
    *(uint64_t *)field = number;
    return true;
}

static bool set_double(const spec *s, void *field, const char *value) {
    char *end;
    double number = strtod(value, &end);
    if (s->type == RATE && strcmp(end, "/s") == 0) {
        end += 2;
    }
    if (end == value || *end != 0 || !(number >= (double)s->min) ||
        number > (double)s->max) {
        return false;
    }
    *(double *)field = number;
    return true;
}

static bool set(tw__bench_options *options, const spec *s, const char *value) {
    void *field = (char *)options + s->at;
    switch (s->type) {
    case NUMBER:
        return set_number(s, field, value);
    case SECONDS:
    case RATE:
        return set_double(s, field, value);
    case FLAG:
        *(bool *)field = true;
        return true;
    case TEXT:
        break;
    }
    *(const char **)field = value;
    return true;
}

static void preset(tw__bench_options *options) {
    for (size_t i = 0; i < SPECS; i++) {
        if (specs[i].preset != NULL &&
            (specs[i].kinds & (int)options->kind) != 0) {
            set(options, &specs[i], specs[i].preset);
        }
    }
}

static bool wrong_value(const spec *s, const char *value, char *why,
                        size_t size) {
    snprintf(why, size, "--%s %s: wanted a number from %llu to %llu", s->name,
             value, (unsigned long long)s->min, (unsigned long long)s->max);
    return false;
}

/* One option and its value. *used says how many arguments that took. */
static bool parse_one(tw__bench_options *options, int argc, char **argv,
                      int *used, char *why, size_t size) {
    char name[32];
    const char *arg = argv[0];
    if (strncmp(arg, "--", 2) != 0) {
        snprintf(why, size, "'%s' is no option", arg);
        return false;
    }
    size_t len = strcspn(arg + 2, "=");
    snprintf(name, sizeof name, "%.*s", (int)len, arg + 2);
    const spec *s = find(name, options->kind);
    if (s == NULL) {
        return unknown_option(name, options->kind, why, size);
    }
    const char *value = arg[2 + len] == '=' ? arg + 3 + len : NULL;
    *used = 1;
    if (s->type == FLAG && value != NULL) {
        snprintf(why, size, "--%s takes no value", name);
        return false;
    }
    if (s->type != FLAG && value == NULL) {
        if (argc < 2) {
            snprintf(why, size, "--%s lacks its value", name);
            return false;
        }
        value = argv[1];
        *used = 2;
    }
    return set(options, s, value) || wrong_value(s, value, why, size);
}

/* Each process has circles of its own (circle.h), and must not have too few
 * rooms for one. */
static bool check_overlap(const tw__bench_options *options, char *why,
                          size_t size) {
    uint64_t processes = options->processes > 0 ? options->processes : 1;
    if (options->overlap && options->members > OVERLAP_MAX) {
        snprintf(why, size, "--overlap allows %d --members", OVERLAP_MAX);
        return false;
    }
    if (options->overlap && options->rooms / processes < options->members) {
        snprintf(why, size,
                 "--overlap wants as many --rooms as --members, "
                 "in each process");
        return false;
    }
    return true;
}

static bool check_rooms(tw__bench_options *options, char *why, size_t size) {
    uint64_t places = options->rooms * options->members;
    if (places > CONNECTIONS_MAX) {
        snprintf(why, size, "--rooms times --members is over %d",
                 CONNECTIONS_MAX);
        return false;
    }
    if (!check_overlap(options, why, size)) {
        return false;
    }
    options->connections = options->overlap ? options->rooms : places;
    options->pub_path = options->sub_path;
    return true;
}

static bool check(tw__bench_options *options, char *why, size_t size) {
    if (options->kind == TW__BENCH_ROOMS) {
        return check_rooms(options, why, size);
    }
    if (options->kind != TW__BENCH_FANOUT) {
        return true;
    }
    if (options->slow >= options->connections) {
        snprintf(why, size, "--slow leaves no subscriber that reads");
        return false;
    }
    if (options->in_flight > 1 && options->rate > 0) {
        snprintf(why, size, "--rate and --in-flight exclude each other");
        return false;
    }
    return true;
}

bool tw__bench_options_parse(tw__bench_options *options, int argc, char **argv,
                             char *why, size_t why_size) {
    memset(options, 0, sizeof *options);
    if (argc < 1) {
        snprintf(why, why_size,
                 "a mode is missing: echo, fanout, idle, rooms, churn");
        return false;
    }
    if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) {
        options->help = true;
        return true;
    }
    for (size_t i = 0; i < KINDS; i++) {
        if (strcmp(argv[0], kinds[i].name) == 0) {
            options->kind = kinds[i].kind;
        }
    }
    if (options->kind == 0) {
        return unknown_kind(argv[0], why, why_size);
    }
    preset(options);
    for (int i = 1, used; i < argc; i += used) {
        if (!parse_one(options, argc - i, argv + i, &used, why, why_size)) {
            return false;
        }
    }
    return options->help || check(options, why, why_size);
}

/* Prints words, broken before column 80 and indented below each other. */
static size_t print_words(FILE *out, const char *text, size_t column) {
    enum { INDENT = 22, WIDTH = 79 };
    while (*text != 0) {
        size_t len = strcspn(text, " ");
        if (column + 1 + len > WIDTH) {
            column = (size_t)fprintf(out, "\n%*s", INDENT - 1, "") - 1;
        }
        column += (size_t)fprintf(out, " %.*s", (int)len, text);
        text += len + (text[len] == ' ');
    }
    return column;
}

static void print_option(FILE *out, const spec *s) {
    size_t column = (size_t)fprintf(out, "  --%-17s", s->name);
    column = print_words(out, s->help, column);
    if (s->preset != NULL) {
        char preset[64];
        snprintf(preset, sizeof preset, "(%s)", s->preset);
        print_words(out, preset, column);
    }
    fputc('\n', out);
}

void tw__bench_usage(FILE *out, tw__bench_kind kind) {
    fprintf(out, "usage: tidewire bench %s [options]\n\n",
            kind != 0 ? tw__bench_kind_name(kind) : "MODE");
    for (size_t i = 0; i < KINDS && kind == 0; i++) {
        fprintf(out, "  %-8s %s\n", kinds[i].name, kinds[i].help);
    }
    if (kind == 0) {
        fprintf(out, "\n`tidewire bench MODE --help` lists its options. The "
                     "exit status is 0 when\neverything arrived as it should, "
                     "1 when not, 2 when nothing could be\nmeasured.\n");
    }
    for (size_t i = 0; i < SPECS && kind != 0; i++) {
        if ((specs[i].kinds & (int)kind) != 0) {
            print_option(out, &specs[i]);
        }
    }
}
