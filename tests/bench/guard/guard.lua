-- The routes of the benchmark guard, one for each kind of work.
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"

local function kind(on_message)
    return tw.app { on_message = on_message, ping = 30, idle = 60 }
end

return tw.routes {
    ["/hook"] = kind(function() end),
    ["/echo"] = kind(function(conn, msg)
        conn:send(msg)
    end),
    ["/data"] = kind(function(conn, msg)
        conn:send(msg.data)
    end),
    ["/state"] = kind(function(conn)
        local state = conn.state
        state.n = (state.n or 0) + 1
    end),
    ["/publish"] = kind(function(_, msg)
        tw.publish("nobody", msg)
    end),
    ["/except"] = kind(function(conn, msg)
        tw.publish("nobody", msg, { except = conn })
    end),
    ["/json"] = kind(function(conn, msg)
        local t = msg:json()
        t.seen = true
        conn:send(t)
    end),
    ["/room"] = tw.app {
        on_open = function(conn)
            return conn:subscribe "room"
        end,
    },
}
