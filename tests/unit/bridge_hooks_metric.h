/* bridge_hooks_metric.h - the part of bridge_hooks_fake.h that is about metrics
 * of scripts: real ones, in memory of the fake server's.
 * SPDX-License-Identifier: MIT */
#ifndef TW_TESTS_BRIDGE_HOOKS_METRIC_H
#define TW_TESTS_BRIDGE_HOOKS_METRIC_H

static void fake_metric_folded(const char *name, const char *why, void *arg) {
    (void)name;
    (void)why;
    (void)arg;
}

static tw__metrics *fake_metrics(tw_server *server) {
    if (server->metrics.events.arg == NULL) {
        tw__metric_events events = {fake_metric_folded, server};
        tw__metrics_init(&server->metrics, NULL, 0, 0, &events);
    }
    return &server->metrics;
}

int tw_metric_open(tw_server *server, const tw_metric_config *config,
                   tw_metric **metric) {
    return server->metric_error
               ? server->metric_error
               : tw__metrics_open(fake_metrics(server), config, metric);
}

/* All of them, as /metrics has them. Valid until the next call. */
static const char *fake_metric_text(tw_server *server) {
    static char text[16384];
    tw__metric_view view;
    tw__bytes out;
    tw__bytes_init(&out);
    assert_int_equal(
        tw__metric_view_init(&view, &fake_metrics(server)->regions), 0);
    assert_int_equal(tw__metric_view_write(&view, &out), 0);
    tw__metric_view_deinit(&view);
    fake_copy(
        text, sizeof text,
        (tw_str){(const char *)tw__bytes_data(&out), tw__bytes_len(&out)});
    tw__bytes_deinit(&out);
    return text;
}

static void fake_has_metric(tw_server *server, const char *line) {
    const char *text = fake_metric_text(server);
    const char *at = strstr(text, line);
    if (at == NULL || at[strlen(line)] != '\n') {
        fail_msg("no line '%s' in\n%s", line, text);
    }
}

#endif
