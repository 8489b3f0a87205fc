/* conn_id.h - a connection's id: who it is, and where.
 *
 * 16 bytes: the slot of its member (u16, little-endian), its place in that
 * member's slab (u32), and 10 random bytes. So whoever has an id can reach its
 * connection without asking a table, and nobody can make one up: the whole id
 * has to fit. Places are used again, ids are not. As text it is 22 characters
 * of base64url.
 *
 * Pure but for the randomness.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_CONN_ID_H
#define TW_SERVER_CONN_ID_H

#include "bus/locator.h"
#include "tidewire/tidewire.h"

void tw__conn_id_make(uint8_t id[TW__CONN_ID_BYTES], uint16_t slot,
                      uint32_t place);

uint16_t tw__conn_id_slot(const uint8_t id[TW__CONN_ID_BYTES]);
uint32_t tw__conn_id_place(const uint8_t id[TW__CONN_ID_BYTES]);
/* A random number that stays with the id. */
uint16_t tw__conn_id_dice(const uint8_t id[TW__CONN_ID_BYTES]);

void tw__conn_id_write(const uint8_t id[TW__CONN_ID_BYTES],
                       char out[TW_ID_TEXT]);

/* 0, or TW_EINVALID for what tw__conn_id_write does not write. */
int tw__conn_id_parse(uint8_t id[TW__CONN_ID_BYTES], tw_str text);

/* The upgraded connection with that id on this member, in whatever state, or
 * NULL. */
tw_conn *tw__server_find_id(tw_server *server,
                            const uint8_t id[TW__CONN_ID_BYTES]);

#endif
