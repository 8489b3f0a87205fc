-- The app that hostile-*.test.mjs besiege: a route for those who are well, and
-- some where everything may be said to no effect.
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"

tw.channels {
    ["close:*"] = { slow = "close" },
    ["new:*"] = { slow = "drop_new" },
    ["old:*"] = { slow = "drop_old" },
    ["conflate:*"] = { slow = "conflate" },
}

-- Who is slow on purpose, or only seems to be on a busy machine, is not closed
-- for its silence.
local function patient(hooks)
    hooks.ping, hooks.idle = 1800, 3600
    return tw.app(hooks)
end

local function ignore() end

return tw.routes {
    -- ?channel=A,B subscribes to these, ?to=C publishes what is said to that.
    ["/"] = patient {
        on_open = function(conn, req)
            conn.state.to = req.query.to
            for name in (req.query.channel or ""):gmatch "[^,]+" do
                local position, err = conn:subscribe(name)
                if not position then
                    return nil, err
                end
            end
            return conn:send "ready"
        end,
        on_message = function(conn, msg)
            return tw.publish(conn.state.to, msg)
        end,
    },
    ["/echo"] = patient {
        on_message = function(conn, msg)
            return conn:send(msg)
        end,
    },
    ["/sink"] = patient { on_message = ignore },
    -- Pings soon and waits for no long time.
    ["/brief"] = tw.app { ping = 0.5, idle = 1.5, on_message = ignore },
    ["POST /take"] = function()
        return 204
    end,
}
