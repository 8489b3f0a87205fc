/* SPDX-License-Identifier: MIT */
#include "report.h"

#define LARGE unsigned long long

static void text(FILE *out, const char *value) {
    fputc('"', out);
    for (; *value != 0; value++) {
        unsigned char c = (unsigned char)*value;
        if (c < 0x20 || c > 0x7e) {
            fprintf(out, "\\u%04x", c);
        } else {
            fprintf(out, c == '"' || c == '\\' ? "\\%c" : "%c", c);
        }
    }
    fputc('"', out);
}

static void number(FILE *out, const char *name, uint64_t value) {
    fprintf(out, ",\"%s\":%llu", name, (LARGE)value);
}

static void real(FILE *out, const char *name, double value) {
    fprintf(out, ",\"%s\":%.6g", name, value);
}

static void flag(FILE *out, const char *name, bool value) {
    fprintf(out, ",\"%s\":%s", name, value ? "true" : "false");
}

static void latency(FILE *out, const tw__bench_histogram *h) {
    static const struct {
        const char *name;
        double percent;
    } points[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99_9", 99.9}};
    fprintf(out, ",\"latency_us\":{\"count\":%llu", (LARGE)h->count);
    real(out, "mean", tw__bench_histogram_mean(h) / 1000.0);
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        real(out, points[i].name,
             (double)tw__bench_histogram_at(h, points[i].percent) / 1000.0);
    }
    real(out, "max", (double)h->max / 1000.0);
    fputc('}', out);
}

static void server(FILE *out, const tw__bench_outcome *o) {
    fprintf(out, ",\"server\":{\"source\":\"%s\"",
            o->is_sched ? "schedstat" : "stat");
    flag(out, "changed", o->has_changed);
    if (!o->has_changed && o->messages > 0) {
        double per = 1000.0 * (double)o->messages;
        real(out, "cpu_us_per_message", (double)o->cpu_ns / per);
        real(out, "stat_cpu_us_per_message", (double)o->stat_ns / per);
    }
    if (!o->has_changed) {
        real(out, "cores", (double)o->cpu_ns / 1e9 / o->seconds);
        real(out, "cores_of_busiest_process", o->server_share);
    }
    if (o->has_memory) {
        double count = (double)o->counted;
        number(out, "memory_connections", o->counted);
        real(out, "private_bytes_per_connection",
             (double)o->private_opened / count);
        real(out, "pss_bytes_per_connection", (double)o->pss_opened / count);
        real(out, "private_bytes_per_connection_held",
             (double)o->private_held / count);
        real(out, "pss_bytes_per_connection_held", (double)o->pss_held / count);
    }
    fputc('}', out);
}

static void sum(FILE *out, const char *name, const tw__bench_sum *s) {
    fprintf(out, ",\"%s\":{\"intended\":%llu", name, (LARGE)s->intended);
    number(out, "received", s->received);
    number(out, "lost", s->lost);
    number(out, "in_doubt", s->in_doubt);
    number(out, "doubled", s->doubled);
    number(out, "disordered", s->disordered);
    number(out, "damaged", s->damaged);
    fputc('}', out);
}

static void endings(FILE *out, const char *name, const tw__bench_ending *e) {
    fprintf(out, ",\"%s\":{", name);
    for (int i = 0; i < TW__BENCH_CODES_MAX && e[i].code != 0; i++) {
        fprintf(out, "%s\"%u\":%llu", i > 0 ? "," : "", e[i].code,
                (LARGE)e[i].count);
    }
    fputc('}', out);
}

static void offences(FILE *out, const tw__bench_findings *f) {
    fprintf(out, ",\"offences\":[");
    for (uint32_t i = 0; i < f->offences_len; i++) {
        const tw__bench_offence *o = &f->offences[i];
        fprintf(out, "%s{\"connection\":%u,\"what\":", i > 0 ? "," : "",
                o->connection);
        text(out, o->what);
        number(out, "publisher", o->publisher);
        number(out, "expected", o->expected);
        number(out, "got", o->got);
        fputc('}', out);
    }
    fputc(']', out);
}

static void findings(FILE *out, const tw__bench_findings *f) {
    number(out, "sent", f->sent);
    sum(out, "ledger", &f->sum);
    sum(out, "slow_ledger", &f->slow_sum);
    number(out, "slow_readers", f->slow_readers);
    number(out, "slow_closed", f->slow_closed);
    number(out, "disconnects", f->disconnects);
    number(out, "publisher_disconnects", f->publisher_breaks);
    number(out, "reconnects", f->reconnects);
    number(out, "failed", f->failed);
    fprintf(out, ",\"failure\":");
    text(out, f->failure);
    number(out, "foreign", f->foreign);
    number(out, "stalls", f->stalls);
    real(out, "behind_schedule_us", (double)f->late_ns / 1000.0);
    endings(out, "close_codes", f->endings);
    endings(out, "slow_close_codes", f->slow_endings);
    number(out, "offenders", f->offenders);
    offences(out, f);
}

void tw__bench_report_json(FILE *out, const tw__bench_options *options,
                           const tw__bench_outcome *outcome) {
    fprintf(out,
            "{\"mode\":\"%s\",\"url\":", tw__bench_kind_name(options->kind));
    text(out, options->url);
    number(out, "connections", options->connections);
    number(out, "size", options->size);
    number(out, "in_flight", options->in_flight);
    real(out, "rate", options->rate);
    real(out, "seconds", outcome->seconds);
    number(out, "messages", outcome->messages);
    real(out, "messages_per_second",
         outcome->seconds > 0 ? (double)outcome->messages / outcome->seconds
                              : 0);
    latency(out, &outcome->findings.latency);
    if (outcome->has_server) {
        server(out, outcome);
    }
    real(out, "generator_cores", outcome->hand_share);
    flag(out, "generator_was_bottleneck",
         tw__bench_report_is_bottleneck(outcome));
    number(out, "processes", outcome->hands);
    findings(out, &outcome->findings);
    flag(out, "ended_early", outcome->is_stuck);
    flag(out, "clean", tw__bench_report_is_clean(options, outcome));
    fputs("}\n", out);
}
