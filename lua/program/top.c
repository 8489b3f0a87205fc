/* tidewire top. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "ask.h"
#include "command.h"
#include "screen.h"
#include "top_format.h"

enum { LISTED = 10, ANSWER_MS = 10000, INTERVAL_MS = 2000 };

/* One answer, and when it was given. */
typedef struct sample {
    twp_answer answer;
    double at;
} sample;

typedef struct top {
    const twp_settings *settings;
    sample before, now; /* the first ones are the same */
    int interval_ms;
} top;

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* False, and told, when there is no answer. */
static bool take(top *t, sample *out) {
    out->at = now_s();
    return twp_ask_long(t->settings, "GET", "/api/top", "", 0, ANSWER_MS,
                        &out->answer) == 0;
}

static bool take_next(top *t) {
    sample next;
    if (!take(t, &next)) {
        return false;
    }
    twp_answer_deinit(&t->before.answer);
    t->before = t->now;
    t->now = next;
    return true;
}

static void format(const top *t, twp_text *out) {
    twp_top_format(out, t->before.answer.json, t->now.answer.json,
                   t->now.at - t->before.at, LISTED);
}

/* ---- once --------------------------------------------------------------- */

static void sleep_ms(int ms) {
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&t, NULL);
}

static int once(top *t) {
    twp_text out = {0};
    sleep_ms(t->interval_ms);
    if (!take_next(t)) {
        return 1;
    }
    format(t, &out);
    twp_text_write(&out, STDOUT_FILENO);
    twp_text_deinit(&out);
    return 0;
}

/* ---- live --------------------------------------------------------------- */

static void draw(const top *t) {
    twp_text out = {0};
    format(t, &out);
    twp_screen_draw(&out);
    twp_text_deinit(&out);
}

/* Until the next answer is due. False: the end. */
static bool wait_for_next(const top *t) {
    double due = now_s() + t->interval_ms / 1e3;
    for (;;) {
        double left = due - now_s();
        int key = left > 0 ? twp_screen_wait((int)(left * 1e3) + 1) : 0;
        if (key == TWP_SCREEN_END || key == 'q' || key == 'Q') {
            return false;
        }
        if (left <= 0 || key == ' ') {
            return true;
        }
        if (key == TWP_SCREEN_RESIZED) {
            draw(t);
        }
    }
}

/* What is told while the screen is taken nobody reads: so an answer that did
 * not come is asked for again when it is given back. */
static bool take_or_leave(top *t) {
    if (take_next(t)) {
        return true;
    }
    twp_screen_close();
    return take_next(t) && twp_screen_open();
}

static int live(top *t) {
    bool has_answer = true;
    if (!twp_screen_open()) {
        fprintf(stderr, "tidewire: top needs a terminal, or --once\n");
        return 2;
    }
    do {
        draw(t);
    } while (wait_for_next(t) && (has_answer = take_or_leave(t)));
    twp_screen_close();
    return has_answer ? 0 : 1;
}

int twp_top(twp_settings *settings, const char *operand) {
    top t = {.settings = settings, .interval_ms = INTERVAL_MS};
    (void)operand;
    if (twp_settings_has(settings, TWP_INTERVAL_OPTION)) {
        t.interval_ms = (int)twp_settings_ms(settings, TWP_INTERVAL_OPTION);
    }
    if (!take(&t, &t.before)) {
        return 1;
    }
    if (!take(&t, &t.now)) {
        twp_answer_deinit(&t.before.answer);
        return 1;
    }
    int status = twp_settings_is_on(settings, TWP_ONCE_OPTION, false)
                     ? once(&t)
                     : live(&t);
    twp_answer_deinit(&t.before.answer);
    twp_answer_deinit(&t.now.answer);
    return status;
}
