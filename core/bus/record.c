/* SPDX-License-Identifier: MIT */
#include "bus/record.h"

#include <endian.h>
#include <string.h>

#include "tidewire/errors.h"

static void put16(uint8_t *out, uint16_t value) {
    value = htole16(value);
    memcpy(out, &value, sizeof value);
}

static void put32(uint8_t *out, uint32_t value) {
    value = htole32(value);
    memcpy(out, &value, sizeof value);
}

static void put64(uint8_t *out, uint64_t value) {
    value = htole64(value);
    memcpy(out, &value, sizeof value);
}

static uint16_t get16(const uint8_t *in) {
    uint16_t value;
    memcpy(&value, in, sizeof value);
    return le16toh(value);
}

static uint32_t get32(const uint8_t *in) {
    uint32_t value;
    memcpy(&value, in, sizeof value);
    return le32toh(value);
}

static uint64_t get64(const uint8_t *in) {
    uint64_t value;
    memcpy(&value, in, sizeof value);
    return le64toh(value);
}

static void write_header(uint8_t *out, const tw__record *record) {
    const tw__pub_header *header = &record->header;
    put32(out, (uint32_t)tw__record_size(record));
    out[4] = TW__RECORD_VERSION;
    out[5] = record->type;
    put16(out + 6, header->flags);
    out[8] = header->lane;
    out[9] = header->colour;
    out[10] = record->channel_len;
    out[11] = record->key_len;
    put32(out + 12, header->origin.node);
    put32(out + 16, header->origin.incarnation);
    put16(out + 20, header->origin.slot);
    out[22] = record->id_len;
    out[23] = record->status;
    put64(out + 24, header->except);
    put64(out + 32, header->offset);
    put64(out + 40, header->deadline_ms);
    memcpy(out + 48, header->trace, TW__TRACE_BYTES);
    put64(out + 64, record->token);
}

static uint8_t *put_bytes(uint8_t *out, const void *bytes, size_t len) {
    if (len > 0) {
        memcpy(out, bytes, len);
    }
    return out + len;
}

void tw__record_write(uint8_t *out, const tw__record *record) {
    write_header(out, record);
    out += TW__RECORD_HEADER;
    out = put_bytes(out, record->channel, record->channel_len);
    out = put_bytes(out, record->key, record->key_len);
    out = put_bytes(out, record->id, record->id_len);
    put_bytes(out, record->data, record->len);
}

size_t tw__record_claimed(const uint8_t *data, size_t len) {
    return len < 4 ? 0 : get32(data);
}

static void read_header(const uint8_t *in, tw__record *record) {
    tw__pub_header *header = &record->header;
    record->type = in[5];
    header->flags = get16(in + 6);
    header->lane = in[8];
    header->colour = in[9];
    record->channel_len = in[10];
    record->key_len = in[11];
    header->origin.node = get32(in + 12);
    header->origin.incarnation = get32(in + 16);
    header->origin.slot = get16(in + 20);
    record->id_len = in[22];
    record->status = in[23];
    header->except = get64(in + 24);
    header->offset = get64(in + 32);
    header->deadline_ms = get64(in + 40);
    memcpy(header->trace, in + 48, TW__TRACE_BYTES);
    record->token = get64(in + 64);
}

int tw__record_parse(const uint8_t *data, size_t len, tw__record *record,
                     size_t *taken) {
    size_t size = tw__record_claimed(data, len);
    if (len >= 4 && (size < TW__RECORD_HEADER || size > TW__RECORD_MAX)) {
        return TW_EINVALID;
    }
    if (len >= 5 && data[4] != TW__RECORD_VERSION) {
        return TW_EINVALID;
    }
    if (len >= 12) {
        size_t names = (size_t)data[10] + data[11] + (len >= 23 ? data[22] : 0);
        if (TW__RECORD_HEADER + names > size) {
            return TW_EINVALID;
        }
    }
    if (len < TW__RECORD_HEADER || len < size) {
        *taken = 0;
        return 0;
    }
    read_header(data, record);
    record->channel = (const char *)data + TW__RECORD_HEADER;
    record->key = record->channel + record->channel_len;
    record->id = record->key + record->key_len;
    record->data = (const uint8_t *)record->id + record->id_len;
    record->len = (uint32_t)(size - TW__RECORD_HEADER - record->channel_len -
                             record->key_len - record->id_len);
    *taken = size;
    return 0;
}

void tw__record_renumber(uint8_t *bytes, uint64_t number) {
    put64(bytes + 32, number);
}

void tw__record_of_pub(tw__record *record, uint8_t type, tw__pub *pub) {
    record->header = pub->header;
    record->token = pub->token;
    record->len = pub->len;
    record->type = type;
    record->status = 0;
    record->channel_len = pub->channel_len;
    record->key_len = pub->key_len;
    record->channel = tw__pub_channel(pub);
    record->key = tw__pub_key(pub);
    record->id_len = pub->id_len;
    record->id = tw__pub_id(pub);
    record->data = tw__pub_data(pub);
}

tw__pub *tw__record_to_pub(const tw__record *record, tw__pub_store *store) {
    const tw__pub_parts parts = {
        record->channel, record->key,    record->id,   record->channel_len,
        record->key_len, record->id_len, record->data, record->len};
    tw__pub *pub = tw__pub_create_of(store, &parts);
    if (pub != NULL) {
        pub->header = record->header;
        pub->token = record->token;
        pub->type = record->type;
    }
    return pub;
}

tw__position tw__record_position(const tw__record *record) {
    tw__position position = {.offset = record->header.offset};
    size_t len =
        record->id_len < TW__EPOCH_MAX ? record->id_len : (size_t)TW__EPOCH_MAX;
    if (len > 0) {
        memcpy(position.epoch, record->id, len);
    }
    return position;
}
