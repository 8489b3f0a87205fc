-- moderation.config.lua - the settings of the stand-in, moderation.lua.
--
-- SPDX-License-Identifier: MIT
return {
    listen = "127.0.0.1:8091",
    admin = "off",
    workers = 1,
    config = {
        words = { "rude", "spam" }, -- that must not be said
        delay = 0.05, -- seconds that it takes
    },
}
