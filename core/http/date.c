/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "http/response.h"

/* Not strftime and strptime: they speak the host's locale. */
static const char days[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

#define LAST_SECOND 253402300799 /* of the year 9999 */

void tw__http_date_format(int64_t unix_s, char out[30]) {
    if (unix_s < 0) {
        unix_s = 0;
    }
    time_t when = unix_s > LAST_SECOND ? LAST_SECOND : unix_s;
    struct tm tm;
    gmtime_r(&when, &tm);
    char text[96]; /* what the compiler thinks the numbers could need */
    snprintf(text, sizeof text, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
             days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon,
             tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    memcpy(out, text, 29);
    out[29] = '\0';
}

const char *tw__http_date_at(tw__http_date *date, int64_t unix_s) {
    if (date->_second != unix_s || date->_text[0] == '\0') {
        tw__http_date_format(unix_s, date->_text);
        date->_second = unix_s;
    }
    return date->_text;
}

static int two_digits(const char *text) {
    if (text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9') {
        return 0;
    }
    return (text[0] - '0') * 10 + text[1] - '0';
}

static int month_of(const char *text) {
    for (int i = 0; i < 12; i++) {
        if (memcmp(text, months + 3 * i, 3) == 0) {
            return i;
        }
    }
    return 0;
}

/* Reads the numbers loosely, then writes the date again: only an exact date
 * comes out as it went in. */
bool tw__http_date_parse(const char *text, size_t len, int64_t *unix_s) {
    if (len != 29) {
        return false;
    }
    struct tm tm = {
        .tm_mday = two_digits(text + 5),
        .tm_mon = month_of(text + 8),
        .tm_year = two_digits(text + 12) * 100 + two_digits(text + 14) - 1900,
        .tm_hour = two_digits(text + 17),
        .tm_min = two_digits(text + 20),
        .tm_sec = two_digits(text + 23),
    };
    int64_t when = timegm(&tm);
    char again[30];
    tw__http_date_format(when, again);
    if (memcmp(again, text, 29) != 0) {
        return false;
    }
    *unix_s = when;
    return true;
}
