-- config.lua - the settings that `make run` starts the demo with:
--
--   tidewire run scripts/main.lua --config scripts/config.lua
--
-- A configuration is a Lua file that returns a table. Variables override what
-- stands here (`listen` is TIDEWIRE_LISTEN, `log.level` is TIDEWIRE_LOG_LEVEL),
-- flags override both. A key that does not exist is an error which names the
-- nearest one; `tidewire help options` lists all of them with their defaults.
-- It is read once, when the server starts: a reload takes new scripts, not new
-- settings.
--
-- SPDX-License-Identifier: MIT
return {
    -- Public addresses: one, or several in a table. To be reached from other
    -- machines it takes "0.0.0.0:8080", and then TLS in front of it.
    listen = "127.0.0.1:8080",

    -- Where /metrics, /health, /ready and /api/status are; "off" for nowhere.
    admin = "127.0.0.1:8090",

    -- Worker processes; one per core when it is left out.
    -- workers = 4,

    -- What tw.file.read may read, nothing else. The dashboard draws these.
    files = {
        "/proc/stat",
        "/proc/meminfo",
        "/proc/net/dev",
        "/proc/loadavg",
        "/proc/uptime",
    },

    -- log = { level = "info", format = "auto" },

    -- Times are in seconds ("500ms" works, too), sizes in bytes ("64KiB").
    -- limits = { max_connections = 100000, max_connections_per_address = 100 },
    -- lua = { memory = "256MiB", budget = 0.1 },

    -- Whatever scripts shall read with tw.config.get("key", default).
    config = {},
}
