/* rate.c - what a connection may send: two token buckets.
 * SPDX-License-Identifier: MIT */
#include <math.h>

#include "server/server.h"

/* Its own, or the route's. */
static const tw_rate *rate_of(const tw_conn *conn) {
    const tw__extra *extra = conn->extra;
    return extra != NULL && extra->has_rate ? &extra->rate
                                            : &conn->route->config.rate;
}

/* Without a limit there is no debt either: a bucket that gets one later, by a
 * reload or tw_conn_limit, is full then. */
static double capacity(double per_second, const tw_rate *rate) {
    if (per_second <= 0) {
        return HUGE_VAL;
    }
    double burst = rate->burst > 0 ? rate->burst : 1;
    double tokens = per_second * burst;
    return tokens < 1 ? 1 : tokens;
}

static double refill(double have, double per_second, const tw_rate *rate,
                     double seconds) {
    double most = capacity(per_second, rate);
    if (per_second <= 0) {
        return most;
    }
    double tokens = have + per_second * seconds;
    return tokens > most ? most : tokens;
}

static tw__bucket *bucket_of(tw_conn *conn) {
    const tw_rate *rate = rate_of(conn);
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
    const tw_rate *rate = rate_of(conn);
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
    const tw_rate *rate = rate_of(conn);
    const tw__bucket *bucket = &conn->extra->bucket;
    double messages = debt_seconds(bucket->messages, rate->messages);
    double bytes = debt_seconds(bucket->bytes, rate->bytes);
    double seconds = messages > bytes ? messages : bytes;
    return bucket->filled_ms + (uint64_t)(seconds * 1000) + 1;
}

static bool is_rate(const tw_rate *rate) {
    return rate->messages >= 0 && rate->bytes >= 0 && rate->burst >= 0 &&
           isfinite(rate->messages) && isfinite(rate->bytes) &&
           isfinite(rate->burst);
}

/* The bucket goes on with what is in it; it is filled by the old rate up to
 * now, and by the new one, which may hold less, from now on. */
int tw_conn_limit(tw_conn *conn, const tw_rate *rate) {
    if (!tw_conn_is_open(conn)) {
        return TW_ECLOSED;
    }
    if (rate != NULL && !is_rate(rate)) {
        return TW_EINVALID;
    }
    tw__extra *extra = tw__conn_extra(conn);
    if (extra == NULL) {
        return TW_ENOMEM;
    }
    if (extra->bucket.filled_ms != 0) {
        bucket_of(conn);
    }
    extra->has_rate = rate != NULL;
    if (rate != NULL) {
        extra->rate = *rate;
    }
    if (conn->flags & TW__RATED) {
        tw__conn_set_timer(conn);
    }
    return 0;
}
