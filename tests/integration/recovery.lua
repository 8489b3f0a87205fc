-- Publishes to six channels from every worker, and sends clients what they
-- missed. A client asks in JSON: { channel, since, last }; the answer comes
-- before what was missed.
--
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"

local CHANNELS = 6
local source = ("%d.%d.%.3f"):format(tw.worker, tw.generation, tw.clock())
local count = 0

tw.channels {
    ["room:*"] = { history = 5000, ttl = 600, slow = "resync" },
}

tw.every(tonumber(tw.config.get("every", "0.02")), function()
    count = count + 1
    tw.publish("room:" .. count % CHANNELS, ("m %s %d"):format(source, count))
end)

return tw.app {
    on_message = function(conn, msg)
        local ask = msg:json()
        if ask.leave then
            conn:unsubscribe(ask.channel)
        end
        local told, err = conn:subscribe(ask.channel, { since = ask.since, last = ask.last })
        conn:send(told and { told = told } or { err = tostring(err) })
    end,

    on_recover_fail = function(conn, channel, since)
        conn:send { gap = since, channel = channel }
    end,
}
