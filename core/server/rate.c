/* rate.c - what a connection may send: two token buckets.
 * SPDX-License-Identifier: MIT */
#include "server/server.h"

static double capacity(double per_second, const tw_rate *rate) {
    double burst = rate->burst > 0 ? rate->burst : 1;
    double tokens = per_second * burst;
    return tokens < 1 ? 1 : tokens;
}

static double refill(double have, double per_second, const tw_rate *rate,
                     double seconds) {
    double tokens = have + per_second * seconds;
    double most = capacity(per_second, rate);
    return tokens > most ? most : tokens;
}

static tw__bucket *bucket_of(tw_conn *conn) {
    const tw_rate *rate = &conn->route->config.rate;
    tw__extra *extra = tw__conn_extra(conn);
    if (extra == NULL) {
        return NULL;
    }
    tw__bucket *bucket = &extra->bucket;
    uint64_t now = tw__now(conn->server);
    if (bucket->filled_ms == 0) {
        bucket->messages = capacity(rate->messages, rate);
        bucket->bytes = capacity(rate->bytes, rate);
    } else {
        double seconds = (double)(now - bucket->filled_ms) / 1000;
        bucket->messages =
            refill(bucket->messages, rate->messages, rate, seconds);
        bucket->bytes = refill(bucket->bytes, rate->bytes, rate, seconds);
    }
    bucket->filled_ms = now;
    return bucket;
}

/* A message larger than the whole bucket would never pass: a full bucket lets
 * it, and goes into debt. */
static bool is_over(double tokens, double per_second, double cost,
                    const tw_rate *rate) {
    return per_second > 0 && tokens < cost &&
           tokens < capacity(per_second, rate);
}

tw__rate_verdict tw__conn_rate(tw_conn *conn, size_t len) {
    const tw_rate *rate = &conn->route->config.rate;
    if (rate->messages <= 0 && rate->bytes <= 0) {
        return TW__RATE_PASS;
    }
    tw__bucket *bucket = bucket_of(conn);
    if (bucket == NULL) {
        return TW__RATE_CLOSE;
    }
    bool over = is_over(bucket->messages, rate->messages, 1, rate) ||
                is_over(bucket->bytes, rate->bytes, (double)len, rate);
    if (over && rate->over != TW_RATE_WAIT) {
        return rate->over == TW_RATE_DROP ? TW__RATE_DROP : TW__RATE_CLOSE;
    }
    bucket->messages -= 1;
    bucket->bytes -= (double)len;
    if (!over) {
        return TW__RATE_PASS;
    }
    conn->flags |= TW__RATED;
    tw__count(conn->server, TW_COUNTER_RATE_WAITS, 1);
    tw__conn_set_timer(conn);
    return TW__RATE_WAIT;
}

static double debt_seconds(double tokens, double per_second) {
    return per_second > 0 && tokens < 1 ? (1 - tokens) / per_second : 0;
}

uint64_t tw__conn_rate_ready_ms(const tw_conn *conn) {
    const tw_rate *rate = &conn->route->config.rate;
    const tw__bucket *bucket = &conn->extra->bucket;
    double messages = debt_seconds(bucket->messages, rate->messages);
    double bytes = debt_seconds(bucket->bytes, rate->bytes);
    double seconds = messages > bytes ? messages : bytes;
    return bucket->filled_ms + (uint64_t)(seconds * 1000) + 1;
}
