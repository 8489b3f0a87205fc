/* SPDX-License-Identifier: MIT */
#include "json_text.h"

#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm_alloc.h"

/* Integers up to here, and powers of ten up to MAX_POWER, are doubles without
 * rounding: one operation on two of them is rounded correctly. */
static const double EXACT = 9007199254740992.0;

enum { MAX_POWER = 22 };

static const double powers[MAX_POWER + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* ---- reading numbers ----------------------------------------------------- */

/* A number's digits as an integer while they fit, and the power of ten that it
 * is to be multiplied with. */
typedef struct decimal {
    const char *at, *end;
    uint64_t digits;
    unsigned count; /* of digits that are not leading zeros */
    int power;
} decimal;

enum { MAX_DIGITS = 19, MAX_EXPONENT = 100000 };

static bool is_digit(const decimal *d) {
    return d->at < d->end && *d->at >= '0' && *d->at <= '9';
}

static bool take(decimal *d, char c) {
    if (d->at < d->end && *d->at == c) {
        d->at++;
        return true;
    }
    return false;
}

/* False when there is none. */
static bool take_digits(decimal *d) {
    const char *from = d->at;
    for (; is_digit(d); d->at++) {
        d->count += d->count > 0 || *d->at != '0';
        if (d->count <= MAX_DIGITS) {
            d->digits = d->digits * 10 + (unsigned)(*d->at - '0');
        }
    }
    return d->at > from;
}

static bool take_fraction(decimal *d) {
    const char *from = d->at;
    bool ok = take_digits(d);
    d->power -=
        (int)(d->at - from < MAX_EXPONENT ? d->at - from : MAX_EXPONENT);
    return ok;
}

static bool take_exponent(decimal *d) {
    bool is_negative = take(d, '-');
    if (!is_negative) {
        take(d, '+');
    }
    const char *from = d->at;
    int exponent = 0;
    for (; is_digit(d); d->at++) {
        exponent = exponent < MAX_EXPONENT ? exponent * 10 + (*d->at - '0')
                                           : MAX_EXPONENT;
    }
    d->power += is_negative ? -exponent : exponent;
    return d->at > from;
}

/* Any number; strtod wants a NUL, and the point of the host's locale. */
static bool read_any(const char *text, size_t len, double *value) {
    char room[64];
    char *copy = len < sizeof room ? room : twl_malloc(len + 1);
    if (copy == NULL) {
        return false;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    char *point = memchr(copy, '.', len);
    if (point != NULL) {
        *point = *localeconv()->decimal_point;
    }
    *value = strtod(copy, NULL);
    if (copy != room) {
        twl_free(copy);
    }
    return isfinite(*value);
}

static bool read_decimal(const decimal *d, double *value) {
    bool is_exact = d->count <= MAX_DIGITS && d->digits <= (uint64_t)EXACT;
    if (!is_exact || d->power < -MAX_POWER || d->power > MAX_POWER) {
        return false;
    }
    *value = d->power < 0 ? (double)d->digits / powers[-d->power]
                          : (double)d->digits * powers[d->power];
    return true;
}

size_t twl_json_read_number(const char *text, size_t len, double *value) {
    decimal d = {.at = text, .end = text + len};
    bool is_negative = take(&d, '-');
    if (!take(&d, '0') && !take_digits(&d)) {
        return 0;
    }
    if (take(&d, '.') && !take_fraction(&d)) {
        return 0;
    }
    if ((take(&d, 'e') || take(&d, 'E')) && !take_exponent(&d)) {
        return 0;
    }
    size_t used = (size_t)(d.at - text);
    double number;
    if (read_decimal(&d, &number)) {
        *value = is_negative ? -number : number;
        return used;
    }
    return read_any(text, used, value) ? used : 0;
}

/* ---- writing numbers ----------------------------------------------------- */

/* Writes backwards from `end`. */
static char *write_digits(char *end, uint64_t value, int at_least) {
    for (; value > 0 || at_least > 0; value /= 10, at_least--) {
        *--end = (char)('0' + value % 10);
    }
    return end;
}

static size_t move_out(char *out, const char *from, const char *end) {
    memcpy(out, from, (size_t)(end - from));
    return (size_t)(end - from);
}

static size_t write_integer(int64_t value, char *out) {
    char room[TWL_JSON_NUMBER_MAX];
    char *end = room + sizeof room;
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    char *at = write_digits(end, size, 1);
    if (value < 0) {
        *--at = '-';
    }
    return move_out(out, at, end);
}

/* Numbers with few decimals, which most are: the first number of decimals with
 * which the quotient of two exact doubles is the value. Of at most 15 digits,
 * so it is what "%.15g" would print. 0 when it is none of those. */
static size_t write_short(double value, char *out) {
    enum { DECIMALS = 9 };
    double size = fabs(value);
    if (size < 1e-4) {
        return 0;
    }
    for (int n = 1; n <= DECIMALS && size * powers[n] < 1e15; n++) {
        uint64_t digits = (uint64_t)(size * powers[n] + 0.5);
        if (digits < (uint64_t)1e15 && (double)digits / powers[n] == size) {
            uint64_t scale = (uint64_t)powers[n];
            char room[TWL_JSON_NUMBER_MAX];
            char *end = room + sizeof room;
            char *at = write_digits(end, digits % scale, n);
            *--at = '.';
            at = write_digits(at, digits / scale, 1);
            if (value < 0) {
                *--at = '-';
            }
            return move_out(out, at, end);
        }
    }
    return 0;
}

static size_t write_any(double value, char *out) {
    int len = 0;
    for (int digits = 15; digits <= 17; digits++) {
        len = snprintf(out, TWL_JSON_NUMBER_MAX, "%.*g", digits, value);
        if (strtod(out, NULL) == value) {
            break;
        }
    }
    char *comma = memchr(out, ',', (size_t)len);
    if (comma != NULL) {
        *comma = '.'; /* a host's locale */
    }
    return (size_t)len;
}

size_t twl_json_write_number(double value, char out[TWL_JSON_NUMBER_MAX]) {
    if (value >= -EXACT && value <= EXACT && value == (double)(int64_t)value) {
        return write_integer((int64_t)value, out);
    }
    size_t len = write_short(value, out);
    return len > 0 ? len : write_any(value, out);
}

/* ---- text ---------------------------------------------------------------- */

static bool is_plain(unsigned char c) {
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* Whether all eight bytes are plain: looked at side by side in one word. */
static bool are_plain(uint64_t word) {
    static const uint64_t ONES = 0x0101010101010101u;
    uint64_t quote = word ^ (ONES * '"');
    uint64_t slash = word ^ (ONES * '\\');
    uint64_t odd = word | (word - ONES * 0x20) | ((quote - ONES) & ~quote) |
                   ((slash - ONES) & ~slash);
    return (odd & (ONES * 0x80)) == 0;
}

size_t twl_json_plain_run(const char *text, size_t len) {
    size_t n = 0;
    uint64_t word;
    while (len - n >= sizeof word) {
        memcpy(&word, text + n, sizeof word);
        if (!are_plain(word)) {
            break;
        }
        n += sizeof word;
    }
    while (n < len && is_plain((unsigned char)text[n])) {
        n++;
    }
    return n;
}
