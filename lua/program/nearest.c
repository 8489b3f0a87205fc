/* SPDX-License-Identifier: MIT */
#include "nearest.h"

#include <string.h>

enum { MAX_WORD = 63, FAR = 1000 };

static int least_of(int a, int b, int c) {
    int least = a < b ? a : b;
    return least < c ? least : c;
}

/* Row by row; three rows are needed to see a swap. */
int twp_distance(const char *a, const char *b) {
    int rows[3][MAX_WORD + 1];
    size_t a_len = strlen(a), b_len = strlen(b);
    if (a_len > MAX_WORD || b_len > MAX_WORD) {
        return FAR;
    }
    for (size_t j = 0; j <= b_len; j++) {
        rows[0][j] = (int)j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        int *row = rows[i % 3];
        const int *above = rows[(i - 1) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = (int)i;
        for (size_t j = 1; j <= b_len; j++) {
            row[j] = least_of(above[j] + 1, row[j - 1] + 1,
                              above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1] && above2[j - 2] + 1 < row[j]) {
                row[j] = above2[j - 2] + 1;
            }
        }
    }
    return rows[a_len % 3][b_len];
}

/* A third of the word may be wrong, but not more than three letters: beyond
 * that a suggestion confuses more than it helps. */
void twp_nearest_init(twp_nearest *nearest, const char *word) {
    int most = (int)strlen(word) / 3;
    most = most < 1 ? 1 : most > 3 ? 3 : most;
    *nearest = (twp_nearest){.word = word, ._least = most + 1};
}

bool twp_nearest_offer(twp_nearest *nearest, const char *name) {
    int distance = twp_distance(nearest->word, name);
    if (distance >= nearest->_least) {
        return false;
    }
    nearest->_least = distance;
    nearest->name = name;
    return true;
}
