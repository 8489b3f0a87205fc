/* handshake.h - the server's side of the opening handshake, RFC 6455
 * section 4.2.
 *
 * Pure: a parsed request goes in, a decision and the bytes of a 101 response
 * come out. Extensions are looked at by extension.h. Any thread.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_WS_HANDSHAKE_H
#define TW_WS_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "ws/request.h"

/* The text of Sec-WebSocket-Accept with its terminating zero. */
#define TW__WS_ACCEPT_SIZE 29

/* More offered subprotocols than this are refused: looking for doubles is
 * quadratic, and the client is still a stranger. */
#define TW__WS_PROTOCOLS_MAX 32

/* What to answer instead of 101. All texts are static. The answer must carry
 * `Connection: close`, and the connection be closed after it: bytes that
 * follow a refused upgrade are frames and must not be read as a request. */
typedef struct tw__ws_refusal {
    int status;              /* 400, 405, 426 or 500 */
    const char *reason;      /* a sentence for people */
    const char *header_name; /* a header the answer must carry, or NULL */
    const char *header_value;
} tw__ws_refusal;

/* Whether this request means to become a WebSocket, rightly or wrongly: it
 * names websocket in Upgrade, or carries Sec-WebSocket-Key (a proxy that does
 * not know WebSocket removes the former only). All others are plain HTTP. */
bool tw__ws_is_upgrade(const tw__ws_request *req);

/* Decides over an upgrade. True: `accept` holds what tw__ws_accept_write
 * wants, and `refusal` is untouched. False: refused as `refusal` says, and
 * `accept` is untouched. Origin and path are not looked at. Checked in this
 * order:
 *   405  the method is not GET                      (Allow: GET)
 *   400  HTTP/1.0 or older
 *   400  not exactly one Host, or a blank one
 *   400  Upgrade lacks websocket, or Connection lacks upgrade
 *   400  Sec-WebSocket-Version in several lines
 *   426  that version missing or not 13             (Sec-WebSocket-Version: 13)
 *   400  not exactly one Sec-WebSocket-Key, or not base64 of 16 bytes
 *   400  Sec-WebSocket-Protocol with something that is not a token, a double,
 *        or more than TW__WS_PROTOCOLS_MAX; a blank one counts as absent
 *   400  Sec-WebSocket-Extensions against its grammar
 *   500  the digest could not be made */
bool tw__ws_handshake_check(const tw__ws_request *req,
                            char accept[TW__WS_ACCEPT_SIZE],
                            tw__ws_refusal *refusal);

/* Starts a walk over the offered subprotocols, in the client's order, with
 * tw__ws_list_next. */
void tw__ws_protocols_init(tw__ws_list *list, const tw__ws_request *req);

/* Whether the client offered this subprotocol (case matters). */
bool tw__ws_protocol_is_offered(const tw__ws_request *req, const char *name,
                                size_t len);

/* Appends the whole 101 response. `protocol` is the chosen subprotocol, one
 * that was offered, or NULL for none; `extensions` what the answer says of
 * them, or NULL. 0, TW_EINVALID when `protocol` is not a token, or TW_ENOMEM
 * (in both cases nothing changed). */
int tw__ws_accept_write(tw__bytes *out, const char *accept,
                        const char *protocol, size_t protocol_len,
                        const char *extensions);

#endif
