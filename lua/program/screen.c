/* SPDX-License-Identifier: MIT */
#include "screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* Another screen, without a cursor; and back. */
#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[?25h\033[?1049l"

static struct termios before;
static bool is_open;
static volatile sig_atomic_t is_ended, is_stopped, is_resized;

static void put(const char *text) {
    ssize_t written = write(STDOUT_FILENO, text, strlen(text));
    (void)written; /* a terminal that takes nothing shows nothing */
}

static void on_signal(int number) {
    if (number == SIGWINCH) {
        is_resized = 1;
    } else if (number == SIGTSTP) {
        is_stopped = 1;
    } else {
        is_ended = 1;
    }
}

static void catch_signals(void) {
    static const int numbers[] = {SIGINT,  SIGTERM,  SIGHUP,
                                  SIGQUIT, SIGWINCH, SIGTSTP};
    struct sigaction action = {.sa_handler = on_signal}; /* poll is to end */
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        sigaction(numbers[i], &action, NULL);
    }
}

static void enter(void) {
    struct termios raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    put(ENTER);
}

static void leave(void) {
    put(LEAVE);
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

bool twp_screen_open(void) {
    if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &before) != 0) {
        return false;
    }
    catch_signals();
    enter();
    is_open = true;
    return true;
}

void twp_screen_close(void) {
    if (is_open) {
        is_open = false;
        leave();
    }
}

/* ---- drawing ------------------------------------------------------------ */

void twp_screen_draw(const twp_text *lines) {
    struct winsize window = {.ws_row = 24, .ws_col = 80};
    ioctl(STDOUT_FILENO, TIOCGWINSZ, &window);
    size_t rows = window.ws_row > 0 ? window.ws_row : 24;
    size_t columns = window.ws_col > 0 ? window.ws_col : 80;
    const char *at = lines->data != NULL ? lines->data : "";
    twp_text out = {0};
    twp_text_puts(&out, "\033[H");
    for (size_t row = 0; row < rows && *at != '\0'; row++) {
        size_t len = strcspn(at, "\n");
        twp_text_puts(&out, row > 0 ? "\r\n" : "");
        twp_text_add(&out, at, len < columns ? len : columns);
        twp_text_puts(&out, len < columns ? "\033[K" : "");
        at += len + (at[len] == '\n');
    }
    twp_text_puts(&out, "\033[J");
    twp_text_write(&out, STDOUT_FILENO);
    twp_text_deinit(&out);
}

/* ---- waiting ------------------------------------------------------------ */

/* The shell gets its terminal for as long as we are stopped. */
static void stop(void) {
    is_stopped = 0;
    leave();
    raise(SIGSTOP);
    enter();
}

static int read_key(void) {
    char key;
    ssize_t got = read(STDIN_FILENO, &key, 1);
    if (got == 1) {
        return (unsigned char)key;
    }
    return got < 0 && errno == EINTR ? 0 : TWP_SCREEN_END;
}

int twp_screen_wait(int ms) {
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};
    int ready = is_ended || is_stopped || is_resized ? 0 : poll(&input, 1, ms);
    if (is_ended) {
        return TWP_SCREEN_END;
    }
    if (is_stopped) {
        stop();
        return TWP_SCREEN_RESIZED;
    }
    if (is_resized) {
        is_resized = 0;
        return TWP_SCREEN_RESIZED;
    }
    return ready > 0 ? read_key() : 0;
}
