-- config.lua - the settings of the example.
--
-- SPDX-License-Identifier: MIT
return {
    listen = "127.0.0.1:8080",

    -- A Redis by a name of its own: tw.redis "guard".
    redis = {
        guard = { url = os.getenv "GUARD_REDIS" or "redis://127.0.0.1:6379/0", timeout = 1 },
    },

    -- A service that failed three times in a row is left alone for a second,
    -- then asked once, and so on: see docs/reference/limits.md.
    limits = { http_failures = 3, http_pause = 1 },

    config = {
        guard = {
            moderation = os.getenv "GUARD_MODERATION" or "http://127.0.0.1:8091/check",
            timeout = 2, -- seconds that the moderation may take

            -- What happens to a message that one of the two cannot check:
            -- "refuse" it, or let it "pass". Bans shall hold; rude words may
            -- get through for a while.
            without_redis = os.getenv "GUARD_WITHOUT_REDIS" or "refuse",
            without_moderation = os.getenv "GUARD_WITHOUT_MODERATION" or "pass",
        },
    },
}
