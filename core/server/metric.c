/* metric.c - the host's metrics of a server. SPDX-License-Identifier: MIT */
#include "metric/text.h"
#include "server/server.h"

static void folded(const char *name, const char *why, void *arg) {
    const tw_server *server = arg;
    tw__log_write(&server->log, TW_LOG_WARN,
                  "a series of a metric was folded into \"other\"", "metric",
                  name, "reason", why, NULL);
}

void tw__server_init_metrics(tw_server *server, const tw__place *place) {
    tw__metric_events events = {folded, server};
    tw__metrics_init(&server->metrics, place != NULL ? place->metrics : NULL,
                     place != NULL ? place->slot : 0,
                     server->config.metric_memory_bytes, &events);
}

int tw_metric_open(tw_server *server, const tw_metric_config *config,
                   tw_metric **metric) {
    return tw__metrics_open(&server->metrics, config, metric);
}

int tw_server_metric_text(tw_server *server,
                          void (*write)(tw_str text, void *arg), void *arg) {
    tw__metric_view view;
    tw__bytes out;
    int error = tw__metric_view_init(&view, &server->metrics.regions);
    if (error != 0) {
        return error;
    }
    tw__bytes_init(&out);
    error = tw__metric_view_write(&view, &out);
    tw__metric_view_deinit(&view);
    if (error == 0) {
        tw_str text = {(const char *)tw__bytes_data(&out), tw__bytes_len(&out)};
        write(text, arg);
    }
    tw__bytes_deinit(&out);
    return error;
}
