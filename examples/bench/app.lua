-- The other end of `tidewire bench`: as little logic as there can be, so that
-- what is measured is the server.
--
--   /echo   sends every message back
--   /sub    subscribes to the channel "bench", or to ?channel=NAME
--   /pub    publishes every message to that channel
--   /room   both at once; the sender gets nothing back. ?channel=NAME,NAME,...
--           subscribes to all, and what is said goes to the first
--
-- The class of a channel follows its name: "close:x" (as every name without a
-- class), "new:x", "old:x", "conflate:x", and "batch:x", which gathers for a
-- millisecond.
--
--   tidewire examples/bench/app.lua --listen 127.0.0.1:9000 --workers 1
--   tidewire bench fanout --url ws://127.0.0.1:9000/ --ledger
--   tidewire bench echo --url ws://127.0.0.1:9000/echo
--   tidewire bench rooms --url ws://127.0.0.1:9000/ --rooms 100 --members 100
--   tidewire bench idle --url ws://127.0.0.1:9000/sub --connections 15000
--
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"

tw.channels {
    ["close:*"] = { slow = "close" },
    ["new:*"] = { slow = "drop_new" },
    ["old:*"] = { slow = "drop_old" },
    ["conflate:*"] = { slow = "conflate" },
    ["batch:*"] = { batch = 0.001 },
}

local function channel_of(req)
    return req.query.channel or "bench"
end

local echo = tw.app {
    on_message = function(conn, msg)
        conn:send(msg)
    end,
}

local sub = tw.app {
    on_open = function(conn, req)
        return conn:subscribe(channel_of(req))
    end,
}

local pub = tw.app {
    on_open = function(conn, req)
        conn.state.channel = channel_of(req)
        return true
    end,
    on_message = function(conn, msg)
        return tw.publish(conn.state.channel, msg)
    end,
}

local room = tw.app {
    on_open = function(conn, req)
        for name in channel_of(req):gmatch("[^,]+") do
            conn.state.channel = conn.state.channel or name
            local position, err = conn:subscribe(name)
            if not position then
                return nil, err
            end
        end
        return true
    end,
    on_message = function(conn, msg)
        return tw.publish(conn.state.channel, msg, { except = conn })
    end,
}

return tw.routes {
    ["/echo"] = echo,
    ["/sub"] = sub,
    ["/pub"] = pub,
    ["/room"] = room,
}
