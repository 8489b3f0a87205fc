/* SPDX-License-Identifier: MIT */
#include "report.h"

#define LARGE unsigned long long

static const char *unit_of(tw__bench_kind kind) {
    switch (kind) {
    case TW__BENCH_ECHO:
        return "round trip";
    case TW__BENCH_FANOUT:
    case TW__BENCH_ROOMS:
        return "delivery";
    case TW__BENCH_IDLE:
        return "message";
    case TW__BENCH_CHURN:
        break;
    }
    return "connection";
}

static const char *units_of(tw__bench_kind kind) {
    switch (kind) {
    case TW__BENCH_ECHO:
        return "round trips";
    case TW__BENCH_FANOUT:
    case TW__BENCH_ROOMS:
        return "deliveries";
    case TW__BENCH_IDLE:
        return "messages";
    case TW__BENCH_CHURN:
        break;
    }
    return "connections";
}

static bool is_sum_clean(const tw__bench_sum *sum) {
    return sum->doubled == 0 && sum->disordered == 0 && sum->damaged == 0;
}

bool tw__bench_report_is_clean(const tw__bench_options *options,
                               const tw__bench_outcome *outcome) {
    const tw__bench_findings *f = &outcome->findings;
    if (outcome->is_stuck || !is_sum_clean(&f->sum) ||
        !is_sum_clean(&f->slow_sum)) {
        return false;
    }
    if (f->sum.lost > 0 && !options->allow_loss) {
        return false;
    }
    return options->allow_disconnect ||
           f->disconnects + f->publisher_breaks + f->failed == 0;
}

static void text_head(FILE *out, const tw__bench_options *o,
                      const tw__bench_outcome *outcome) {
    fprintf(out, "%s %s\n", tw__bench_kind_name(o->kind), o->url);
    if (o->kind == TW__BENCH_FANOUT) {
        fprintf(out,
                "  %llu subscribers (%llu slow), %llu publisher%s, %llu B, ",
                (LARGE)o->connections, (LARGE)o->slow, (LARGE)o->publishers,
                o->publishers == 1 ? "" : "s", (LARGE)o->size);
        if (o->rate > 0) {
            fprintf(out, "%g/s", o->rate);
        } else {
            fprintf(out, "%llu in flight", (LARGE)o->in_flight);
        }
    } else if (o->kind == TW__BENCH_ROOMS) {
        fprintf(out, "  %llu rooms of %llu, %llu B, %llu in flight",
                (LARGE)o->rooms, (LARGE)o->members, (LARGE)o->size,
                (LARGE)o->in_flight);
    } else {
        fprintf(out, "  %llu connections", (LARGE)o->connections);
    }
    if (o->kind == TW__BENCH_ECHO) {
        fprintf(out, ", %llu B %s, %llu in flight", (LARGE)o->size,
                o->binary ? "binary" : "text", (LARGE)o->in_flight);
    }
    fprintf(out, ", %.1f s, %u process%s\n", outcome->seconds, outcome->hands,
            outcome->hands == 1 ? "" : "es");
}

static double microseconds(const tw__bench_histogram *h, double percent) {
    return (double)tw__bench_histogram_at(h, percent) / 1000.0;
}

static void text_load(FILE *out, const tw__bench_options *o,
                      const tw__bench_outcome *outcome) {
    const tw__bench_histogram *h = &outcome->findings.latency;
    fprintf(out, "  %-14s %llu  %.0f/s\n", units_of(o->kind),
            (LARGE)outcome->messages,
            outcome->seconds > 0 ? (double)outcome->messages / outcome->seconds
                                 : 0);
    if (h->count > 0) {
        fprintf(out,
                "  latency us     mean %.1f  p50 %.1f  p90 %.1f  p99 %.1f  "
                "p99.9 %.1f  max %.1f\n",
                tw__bench_histogram_mean(h) / 1000.0, microseconds(h, 50),
                microseconds(h, 90), microseconds(h, 99), microseconds(h, 99.9),
                (double)h->max / 1000.0);
    }
    if (o->rate > 0) {
        fprintf(out, "  schedule       at most %.1f us behind\n",
                (double)outcome->findings.late_ns / 1000.0);
    }
    if (outcome->is_stuck) {
        fprintf(out, "  ended early    no publisher was left\n");
    }
    if (outcome->findings.stalls > 0) {
        fprintf(out, "  stalls         %llu bursts were not complete in time\n",
                (LARGE)outcome->findings.stalls);
    }
}

static double cpu_each(const tw__bench_outcome *outcome, uint64_t ns) {
    return outcome->messages > 0
               ? (double)ns / 1000.0 / (double)outcome->messages
               : 0;
}

static double per_connection(const tw__bench_outcome *o, int64_t bytes) {
    return (double)bytes / (double)o->counted;
}

static void text_server(FILE *out, const tw__bench_options *o,
                        const tw__bench_outcome *outcome) {
    if (outcome->has_server && outcome->has_changed) {
        fprintf(out, "  server cpu     unknown: its processes changed\n");
    } else if (outcome->has_server && outcome->messages == 0) {
        fprintf(out, "  server cpu     %.2f %% of a core\n",
                (double)outcome->cpu_ns / 1e7 / outcome->seconds);
    } else if (outcome->has_server) {
        fprintf(out,
                "  server cpu     %.3f us per %s  (%s; stat says %.3f; %.0f %% "
                "of a core, %.0f %% in its busiest process)\n",
                cpu_each(outcome, outcome->cpu_ns), unit_of(o->kind),
                outcome->is_sched ? "schedstat" : "stat",
                cpu_each(outcome, outcome->stat_ns),
                (double)outcome->cpu_ns / 1e7 / outcome->seconds,
                100.0 * outcome->server_share);
    }
    if (outcome->has_memory) {
        fprintf(out,
                "  server memory  %.0f B private, %.0f B PSS per connection; "
                "%.0f and %.0f at the end (of %llu)\n",
                per_connection(outcome, outcome->private_opened),
                per_connection(outcome, outcome->pss_opened),
                per_connection(outcome, outcome->private_held),
                per_connection(outcome, outcome->pss_held),
                (LARGE)outcome->counted);
    }
}

static void text_generator(FILE *out, const tw__bench_outcome *outcome) {
    fprintf(out, "  generator      %.0f %% of a core%s\n",
            100.0 * outcome->hand_share,
            outcome->hands > 1 ? " in its busiest process" : "");
    if (tw__bench_report_is_bottleneck(outcome)) {
        fprintf(out, "  THE GENERATOR WAS THE BOTTLENECK: throughput and "
                     "latency are its own, not the server's\n");
    }
}

static void text_endings(FILE *out, const char *name,
                         const tw__bench_ending *endings) {
    for (int i = 0; i < TW__BENCH_CODES_MAX && endings[i].code != 0; i++) {
        fprintf(out, "    %-12s %llu closed with %u%s\n", name,
                (LARGE)endings[i].count, endings[i].code,
                endings[i].code == TW__BENCH_LOST ? " (no close frame)" : "");
    }
}

static void text_sum(FILE *out, const char *name, const tw__bench_sum *sum) {
    fprintf(out, "    %-12s %12llu %12llu %10llu %10llu %10llu %10llu %10llu\n",
            name, (LARGE)sum->intended, (LARGE)sum->received, (LARGE)sum->lost,
            (LARGE)sum->in_doubt, (LARGE)sum->doubled, (LARGE)sum->disordered,
            (LARGE)sum->damaged);
}

static void text_offences(FILE *out, const tw__bench_findings *f) {
    for (uint32_t i = 0; i < f->offences_len; i++) {
        const tw__bench_offence *o = &f->offences[i];
        fprintf(out, "    connection %u: %s", o->connection, o->what);
        if (o->expected > 0) {
            fprintf(out, ", publisher %u, expected %llu", o->publisher,
                    (LARGE)o->expected);
        }
        if (o->got > 0) {
            fprintf(out, ", got %llu", (LARGE)o->got);
        }
        fputc('\n', out);
    }
    if (f->offenders > f->offences_len) {
        fprintf(out, "    and %llu connections more\n",
                (LARGE)(f->offenders - f->offences_len));
    }
}

static void text_ledger(FILE *out, const tw__bench_options *o,
                        const tw__bench_outcome *outcome) {
    const tw__bench_findings *f = &outcome->findings;
    fprintf(out, "  ledger         %llu sent\n", (LARGE)f->sent);
    fprintf(out, "    %-12s %12s %12s %10s %10s %10s %10s %10s\n", "",
            "intended", "received", "lost", "in doubt", "doubled", "disordered",
            "damaged");
    text_sum(out, "all", &f->sum);
    if (o->slow > 0) {
        text_sum(out, "slow readers", &f->slow_sum);
    }
    if (f->disconnects + f->publisher_breaks + f->reconnects > 0) {
        fprintf(out,
                "    %llu disconnects, %llu of publishers, %llu came back\n",
                (LARGE)f->disconnects, (LARGE)f->publisher_breaks,
                (LARGE)f->reconnects);
    }
    text_endings(out, "", f->endings);
    text_endings(out, "slow readers", f->slow_endings);
    if (f->foreign > 0) {
        fprintf(out, "    %llu messages that are not of this run\n",
                (LARGE)f->foreign);
    }
    text_offences(out, f);
}

/* Without the ledger's table: what went wrong, in a line. */
static void text_trouble(FILE *out, const tw__bench_findings *f) {
    const tw__bench_sum *s = &f->sum;
    if (s->lost + s->doubled + s->disordered + s->damaged + f->disconnects +
            f->publisher_breaks + f->failed ==
        0) {
        return;
    }
    fprintf(out,
            "  trouble        %llu lost, %llu doubled, %llu disordered, %llu "
            "damaged, %llu disconnects, %llu failed to open%s%s\n",
            (LARGE)s->lost, (LARGE)s->doubled, (LARGE)s->disordered,
            (LARGE)s->damaged, (LARGE)(f->disconnects + f->publisher_breaks),
            (LARGE)f->failed, f->failed > 0 ? ": " : "", f->failure);
    text_endings(out, "", f->endings);
}

void tw__bench_report_text(FILE *out, const tw__bench_options *options,
                           const tw__bench_outcome *outcome) {
    text_head(out, options, outcome);
    text_load(out, options, outcome);
    text_server(out, options, outcome);
    text_generator(out, outcome);
    if (options->ledger) {
        text_ledger(out, options, outcome);
    } else {
        text_trouble(out, &outcome->findings);
    }
    fprintf(out, "  %s\n",
            tw__bench_report_is_clean(options, outcome) ? "clean"
                                                        : "NOT CLEAN");
}
