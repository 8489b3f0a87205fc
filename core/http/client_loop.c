/* libcurl's multi interface on our loop.
 *
 * Its timer runs in real time even while the loop's clock is held: it is about
 * names that are looked up and addresses that are tried, not about limits. A
 * timer of 0 is a wish to be called in this turn and costs no uv timer.
 *
 * SPDX-License-Identifier: MIT */
#include "base/alloc.h"
#include "http/client_parts.h"

/* A descriptor of libcurl's. */
typedef struct watch {
    tw__io io;
    tw__list node;
    tw__http_client *client;
} watch;

static void wake(tw__http_client *client) {
    tw__loop_wake_for(client->ground.loop, TW__TURN_BUS);
}

/* ---- descriptors ---- */

static void on_io(tw__io *io, unsigned events) {
    watch *w = TW__CONTAINER(io, watch, io);
    tw__http_client *client = w->client;
    int bits = 0, running;
    if (events & TW__HANGUP) {
        bits = CURL_CSELECT_IN | CURL_CSELECT_OUT;
    }
    bits |= events & TW__READ ? CURL_CSELECT_IN : 0;
    bits |= events & TW__WRITE ? CURL_CSELECT_OUT : 0;
    curl_multi_socket_action(client->multi, io->fd, bits, &running);
    client->has_news = true;
    wake(client);
}

static void unwatch(tw__http_client *client, watch *w) {
    tw__poller_remove(client->ground.poller, &w->io);
    tw__list_remove(&w->node);
    tw__list_push(&client->swept, &w->node);
    wake(client);
}

/* One that cannot be watched, for want of memory, is not: its request ends
 * with its time. An error from here would end all of them. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
                     void *socket_arg) {
    tw__http_client *client = arg;
    watch *w = socket_arg;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w != NULL) {
            curl_multi_assign(client->multi, fd, NULL);
            unwatch(client, w);
        }
        return 0;
    }
    unsigned interest = 0;
    interest |= what == CURL_POLL_OUT ? 0 : TW__READ;
    interest |= what == CURL_POLL_IN ? 0 : TW__WRITE;
    if (w != NULL) {
        (void)tw__poller_modify(client->ground.poller, &w->io, interest);
        return 0;
    }
    w = tw__calloc(1, sizeof *w);
    if (w == NULL) {
        return 0;
    }
    w->client = client;
    w->io = (tw__io){on_io, fd};
    if (tw__poller_add(client->ground.poller, &w->io, interest) != 0) {
        tw__free(w);
        return 0;
    }
    tw__list_init(&w->node);
    tw__list_push(&client->watched, &w->node);
    curl_multi_assign(client->multi, fd, w);
    return 0;
}

static void free_swept(tw__http_client *client) {
    tw__list *node;
    while ((node = tw__list_shift(&client->swept)) != NULL) {
        tw__free(TW__CONTAINER(node, watch, node));
    }
}

/* The poller may still hold an event of one that was removed in this turn. */
static bool on_sweep(tw__turn_hook *hook) {
    free_swept(TW__CONTAINER(hook, tw__http_client, sweep));
    return false;
}

/* ---- time ---- */

static void on_time(uv_timer_t *timer) {
    tw__http_client *client = TW__CONTAINER(timer, tw__http_client, timer);
    client->is_due = true;
    wake(client);
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg) {
    tw__http_client *client = arg;
    (void)multi;
    uv_timer_stop(&client->timer);
    if (timeout_ms == 0) {
        client->is_due = true;
        wake(client);
    } else if (timeout_ms > 0) {
        uv_timer_start(&client->timer, on_time, (uint64_t)timeout_ms, 0);
    }
    return 0;
}

void tw__http_loop_kick(tw__http_client *client) {
    int running;
    if (client->is_due) {
        client->is_due = false;
        client->has_news = true;
        curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0,
                                 &running);
    }
}

/* ---- open and close ---- */

static int open_multi(tw__http_client *client) {
    static bool is_global;
    if (!is_global && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return TW_ENOMEM;
    }
    is_global = true;
    CURLM *multi = curl_multi_init();
    if (multi == NULL) {
        return TW_ENOMEM;
    }
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, client);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, client);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS,
                      (long)client->config.concurrent);
    client->multi = multi;
    return 0;
}

int tw__http_loop_open(tw__http_client *client,
                       bool (*on_turn)(tw__turn_hook *hook)) {
    tw__loop *loop = client->ground.loop;
    bool is_asking = client->ground.ask != NULL;
    if (client->is_open) {
        return 0;
    }
    if (!is_asking && !client->has_timer) {
        if (uv_timer_init(loop->uv, &client->timer) != 0) {
            return TW_EIO;
        }
        tw__loop_adopt(loop, (uv_handle_t *)&client->timer);
        client->has_timer = true;
    }
    int err = is_asking ? 0 : open_multi(client);
    if (err != 0) {
        return err;
    }
    tw__loop_add_hook(loop, &client->turn, on_turn, TW__TURN_BUS);
    tw__loop_add_hook(loop, &client->sweep, on_sweep, TW__TURN_CLOSE);
    client->is_open = true;
    return 0;
}

void tw__http_loop_close(tw__http_client *client) {
    if (client->multi != NULL) {
        curl_multi_cleanup(client->multi);
        client->multi = NULL;
    }
    if (client->is_open) {
        client->is_open = false;
        tw__loop_remove_hook(&client->turn);
        tw__loop_remove_hook(&client->sweep);
    }
    while (!tw__list_is_empty(&client->watched)) {
        unwatch(client, TW__CONTAINER(client->watched.next, watch, node));
    }
    if (client->has_timer) {
        client->has_timer = false;
        uv_timer_stop(&client->timer);
        tw__loop_close_handle((uv_handle_t *)&client->timer);
    }
}

void tw__http_loop_free(tw__http_client *client) {
    free_swept(client);
}
