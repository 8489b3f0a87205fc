/* metrics_writer.h - what the parts of /metrics are written with. Inside of
 * metrics*.c only. SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_METRICS_WRITER_H
#define TW_SERVER_METRICS_WRITER_H

#include "base/bytes.h"
#include "server/master_board.h"

/* The text format wants every sample of a metric in one group behind its HELP
 * and TYPE, so each metric walks over the slots. Errors (only memory) stick in
 * `error`, and what follows does nothing. */
typedef struct tw__metrics_writer {
    tw__bytes *out;
    const tw__board *board;
    int error;
} tw__metrics_writer;

#define WRITE(w, ...)                                                          \
    do {                                                                       \
        if ((w)->error == 0) {                                                 \
            (w)->error = tw__bytes_printf((w)->out, __VA_ARGS__);              \
        }                                                                      \
    } while (0)

static inline void head(tw__metrics_writer *w, const char *name,
                        const char *type, const char *help) {
    WRITE(w, "# HELP tidewire_%s %s\n# TYPE tidewire_%s %s\n", name, help, name,
          type);
}

/* metrics_host.c */
void tw__metrics_host(tw__metrics_writer *w);

#endif
