-- The other end of recovery.mjs. A text is JSON: { publish = count, channel },
-- or { since } to leave the channel "bench" and come back to it.
--
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"

tw.channels {
    ["bench"] = { history = 100000 },
    ["fill"] = { history = 100000 },
}

local BODY = ("x"):rep(100)

return tw.app {
    on_message = function(conn, msg)
        local ask = msg:json()
        if ask.publish then
            for _ = 1, ask.publish do
                tw.publish(ask.channel, BODY)
            end
            conn:send(tw.publish(ask.channel, BODY, { wait = true }))
            return
        end
        conn:unsubscribe "bench"
        conn:send(assert(conn:subscribe("bench", { since = ask.since })))
    end,
}
