-- guard - a chat room where each message is checked before anybody sees it: by
-- Redis (who is banned, who talks too much) and by a moderation service, asked
-- at the same time. Meanwhile nobody else waits, and what one person says keeps
-- its order.
--
--   /room/:room   the WebSocket; see room.lua
--   GET /policy   what happens without Redis, or without the service
--
--   tidewire run examples/guard/moderation.lua --config examples/guard/moderation.config.lua
--   tidewire run examples/guard/main.lua --config examples/guard/config.lua
--
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"
local check = require "check"
local room = require "room"

tw.channels {
    ["room:*"] = { history = 50, ttl = 3600 },
}

return tw.routes {
    ["/room/:room"] = room,
    ["GET /policy"] = function()
        return 200, check.policy
    end,
    ["/lib/*"] = tw.static "../../scripts/www/lib",
    ["/*"] = tw.static "www",
}
