/* dispatch.c - a record that came in, to whom it is for.
 * SPDX-License-Identifier: MIT */
#include "bus/engine.h"
#include "tidewire/errors.h"

int tw__dispatch(tw__peer *peer, const tw__record *record, uint8_t *bytes,
                 size_t len) {
    switch (record->type) {
    case TW__RECORD_PUBLISH:
        tw__deliver_on_publish(peer, record, bytes, len);
        return 0;
    case TW__RECORD_DELIVER:
        tw__interest_on_deliver(peer, record);
        return 0;
    case TW__RECORD_INTEREST:
        return tw__want_on_interest(peer, record);
    case TW__RECORD_CONFIRM:
        tw__interest_on_confirm(peer, record);
        return 0;
    case TW__RECORD_COUNT:
        tw__want_on_count(peer, record);
        return 0;
    case TW__RECORD_DROP:
        tw__want_on_drop(peer, record);
        return 0;
    case TW__RECORD_GAP:
        tw__interest_on_gap(peer, record);
        return 0;
    case TW__RECORD_COUNT_REQUEST:
    case TW__RECORD_KEPT_REQUEST:
    case TW__RECORD_PRESENCE_REQUEST:
    case TW__RECORD_USER_REQUEST:
    case TW__RECORD_CONNS_REQUEST:
        return tw__answer_on_ask(peer, record, bytes, len);
    case TW__RECORD_REPLY:
        tw__ask_on_reply(peer, record);
        return 0;
    case TW__RECORD_PRESENCE:
        tw__interest_on_presence(peer, record);
        return 0;
    case TW__RECORD_REMOVE:
    case TW__RECORD_ENTER:
    case TW__RECORD_LEAVE:
    case TW__RECORD_USER_ENTER:
    case TW__RECORD_USER_LEAVE:
    case TW__RECORD_USER_ACT:
    case TW__RECORD_ACT:
        return tw__act_on_record(peer, record);
    case TW__RECORD_HELLO:
    case TW__RECORD_HELLO_ACK:
        return TW_EINVALID;
    default:
        peer->bus->stats.link_unknown_records++;
        return 0;
    }
}
