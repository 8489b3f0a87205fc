-- @NAME@ - a chat room. Its page is www/index.html.
local tw = require "tidewire"

tw.channels {
    ["room:*"] = { history = 100, ttl = 3600, slow = "close" },
}

local function tell(conn, type, text)
    return tw.publish(conn.state.channel, { type = type, name = conn.user, text = text, at = tw.now() })
end

local chat = tw.app {
    max_message = 4096,
    rate = { messages = 10, burst = 30, over = "wait" },

    on_upgrade = function(req)
        local name = req.query.name
        if not name or name == "" or not tw.utf8.valid(name) then
            return nil, { status = 400, reason = "a name is needed" }
        end
        return { user = tw.utf8.sub(name, 1, 20) } -- your session instead, some day
    end,

    on_open = function(conn, req)
        conn.state.channel = "room:" .. req.params.room
        local subscribed, err = conn:subscribe(conn.state.channel, { last = 20 })
        if not subscribed then return nil, err end
        tell(conn, "join")
    end,

    on_message = function(conn, msg)
        local said = msg:json()
        if said and type(said.text) == "string" and said.text ~= "" then
            tell(conn, "say", said.text)
        end
    end,

    on_close = function(conn)
        if conn.state.channel then tell(conn, "leave") end
    end,
}

return tw.routes {
    ["/chat/:room"] = chat,
    ["/*"] = tw.static "www",
}
