/* tidewire/admin.h - asks a running server, as `tidewire status` does.
 *
 * A blocking client of the admin member's Unix socket, for programs; it needs
 * no server and no loop of its own. Any thread.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TIDEWIRE_ADMIN_H
#define TIDEWIRE_ADMIN_H

#include <stddef.h>

#include "tidewire/tidewire.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sends one HTTP request without a body and waits for the answer, at most
 * `timeout_ms` for each step of it (0: 60000). Paths are GET "/api/status",
 * "/api/top", "/metrics", "/health", "/ready" and POST "/api/reload",
 * "/api/drain", "/api/profile".
 *
 * `runtime_dir` names the server; NULL finds the only one that this user runs.
 *
 * 0: *status is the HTTP status and *body its text, given (tw_admin_free).
 * TW_ENOT_FOUND: none runs, or none there. TW_EEXISTS: several run; `detail`
 * lists their folders. TW_EDENIED: another user's. TW_ETIMEOUT, TW_EIO,
 * TW_ENOMEM, TW_EINVALID (the answer was not HTTP). `detail` (may be NULL) gets
 * a sentence for people on every failure. */
TW_API int tw_admin_request(const char *runtime_dir, const char *method,
                            const char *path, unsigned timeout_ms, int *status,
                            char **body, char *detail, size_t detail_size);

/* The same for a POST with a body, as POST "/api/console" wants one. It goes to
 * one of the paths above, too. */
TW_API int tw_admin_post(const char *runtime_dir, const char *path,
                         const void *data, size_t len, unsigned timeout_ms,
                         int *status, char **body, char *detail,
                         size_t detail_size);

TW_API void tw_admin_free(char *body);

#ifdef __cplusplus
}
#endif
#endif
