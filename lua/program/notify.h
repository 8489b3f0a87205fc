/* notify.h - tells the service manager that started us how we are.
 * SPDX-License-Identifier: MIT */
#ifndef TWP_NOTIFY_H
#define TWP_NOTIFY_H

#include <stdbool.h>

/* One datagram to the socket that $NOTIFY_SOCKET names, as sd_notify of systemd
 * sends it: "READY=1\nSTATUS=...". False when nobody asked to be told, or could
 * not be. Never waits. */
bool twp_notify(const char *state);

#endif
