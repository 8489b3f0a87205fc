/* SPDX-License-Identifier: MIT */
#include "server/conn_id.h"

#include <string.h>

#include "base/random.h"
#include "server/server.h"

enum { WHERE_BYTES = 6 };

_Static_assert(sizeof(((tw_conn *)0)->id) == TW__CONN_ID_BYTES, "ids differ");

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
                             "qrstuvwxyz0123456789-_";

void tw__conn_id_make(uint8_t id[TW__CONN_ID_BYTES], uint16_t slot,
                      uint32_t place) {
    id[0] = (uint8_t)slot;
    id[1] = (uint8_t)(slot >> 8);
    for (int i = 0; i < 4; i++) {
        id[2 + i] = (uint8_t)(place >> (8 * i));
    }
    tw__random_pooled(id + WHERE_BYTES, TW__CONN_ID_BYTES - WHERE_BYTES);
}

uint16_t tw__conn_id_slot(const uint8_t id[TW__CONN_ID_BYTES]) {
    return (uint16_t)(id[0] | id[1] << 8);
}

uint32_t tw__conn_id_place(const uint8_t id[TW__CONN_ID_BYTES]) {
    uint32_t place = 0;
    for (int i = 3; i >= 0; i--) {
        place = place << 8 | id[2 + i];
    }
    return place;
}

uint16_t tw__conn_id_dice(const uint8_t id[TW__CONN_ID_BYTES]) {
    return (uint16_t)(id[WHERE_BYTES] << 8 | id[WHERE_BYTES + 1]);
}

void tw__conn_id_write(const uint8_t id[TW__CONN_ID_BYTES],
                       char out[TW_ID_TEXT]) {
    uint32_t bits = 0;
    unsigned have = 0;
    size_t used = 0;
    for (size_t i = 0; i < TW__CONN_ID_BYTES; i++) {
        bits = bits << 8 | id[i];
        for (have += 8; have >= 6; have -= 6) {
            out[used++] = digits[bits >> (have - 6) & 63];
        }
    }
    out[used++] = digits[bits << (6 - have) & 63];
    out[used] = '\0';
}

/* The last character stands for two bits; the four behind them are zero, or one
 * id would have sixteen texts. */
int tw__conn_id_parse(uint8_t id[TW__CONN_ID_BYTES], tw_str text) {
    uint8_t read[TW__CONN_ID_BYTES];
    uint32_t bits = 0;
    unsigned have = 0;
    size_t used = 0;
    if (text.len != TW_ID_TEXT - 1) {
        return TW_EINVALID;
    }
    for (size_t i = 0; i < text.len; i++) {
        const char *digit = memchr(digits, text.data[i], sizeof digits - 1);
        if (digit == NULL) {
            return TW_EINVALID;
        }
        bits = bits << 6 | (uint32_t)(digit - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            read[used++] = (uint8_t)(bits >> have);
        }
    }
    if ((bits & ((1u << have) - 1)) != 0) {
        return TW_EINVALID;
    }
    memcpy(id, read, sizeof read);
    return 0;
}

tw_conn *tw__server_find_id(tw_server *server,
                            const uint8_t id[TW__CONN_ID_BYTES]) {
    uint32_t place = tw__conn_id_place(id);
    if (place == 0 || place > server->conn_high) {
        return NULL;
    }
    tw_conn *conn = &server->conns[place];
    bool is_it = conn->state != TW__CONN_FREE &&
                 memcmp(conn->id, id, TW__CONN_ID_BYTES) == 0;
    return is_it ? conn : NULL;
}

void tw_conn_id(const tw_conn *conn, char out[TW_ID_TEXT]) {
    tw__conn_id_write(conn->id, out);
}
