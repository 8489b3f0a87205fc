-- What tests/bench/hooks.c measures: one route per kind of work.
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"

local function kind(on_message)
    return tw.app { on_message = on_message }
end

-- A script that keeps 100,000 objects alive, for the collector's pauses. The
-- large table is written in every hook: the worst for a collector, which has to
-- go over it again in one step.
local kept, turn = {}, 0

local function keep(objects)
    for i = 1, objects do
        kept[i] = { name = "entry " .. i }
    end
end

local function replace(value)
    turn = turn % #kept + 1
    kept[turn] = value
end

return tw.routes {
    ["/empty"] = kind(function() end),
    ["/echo"] = kind(function(conn, msg)
        conn:send(msg)
    end),
    ["/data"] = kind(function(conn, msg)
        conn:send(msg.data)
    end),
    ["/publish"] = kind(function(_, msg)
        tw.publish("room", msg)
    end),
    ["/except"] = kind(function(conn, msg)
        tw.publish("room", msg, { except = conn })
    end),
    ["/state"] = kind(function(conn)
        local state = conn.state
        state.n = (state.n or 0) + 1
    end),
    ["/json"] = kind(function(conn, msg)
        local t = msg:json()
        t.seen = true
        conn:send(t)
    end),
    ["/kept"] = kind(function(conn, msg)
        if #kept == 0 then
            keep(100000)
        end
        local t = msg:json()
        t.seen = true
        replace(t)
        conn:send(t)
    end),
}
