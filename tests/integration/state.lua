-- Like lab.lua, with channels that keep things and know who is there: "?N code"
-- runs protected and is answered with "=N {results}". `lab` is a table that all
-- chunks of a worker share; it has what the hooks were told.
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"

local lab = { gaps = {}, ended = {}, heard = {} }

local function names(members)
    local list = {}
    for i, member in ipairs(members) do
        list[i] = member.user or member.id
    end
    table.sort(list)
    return tw.json.array(list)
end

tw.channels {
    ["kept:*"] = { history = 5, ttl = 3600 },
    ["long:*"] = { history = 1000 },
    ["values:*"] = { retain = 3 },
    ["count:*"] = { presence = "count" },
    ["list:*"] = { presence = "list" },
    ["events:*"] = {
        presence = "events",
        tell = function(channel, change)
            return {
                channel = channel,
                came = names(change.joined),
                went = names(change.left),
                count = change.count,
                generation = tw.generation,
            }
        end,
    },
    ["user:k*"] = { history = 10 },
}

tw.subscribe("listen:all", function(msg, channel)
    table.insert(lab.heard, { channel = channel, data = msg.data, offset = msg.offset, key = msg.key })
end)

-- With a position, and slow: what waits must not be lost by a reload.
tw.subscribe("kept:listen", function(msg)
    tw.sleep(0.02)
    tw.publish("heard:" .. tw.worker, { data = msg.data, offset = msg.offset, key = msg.key })
end)

local function plain(value)
    if value == nil then
        return tw.json.null
    end
    local kind = type(value)
    return (kind == "userdata" and value ~= tw.json.null or kind == "function") and tostring(value) or value
end

-- After pcall.
local function answer(conn, serial, ok, ...)
    if not ok then
        return conn:send("=" .. serial .. " " .. tw.json.encode { raised = tostring((...)) })
    end
    local results = tw.json.array {}
    for i = 1, select("#", ...) do
        results[i] = plain((select(i, ...)))
    end
    return conn:send("=" .. serial .. " " .. tw.json.encode { results = results })
end

local hooks = {
    on_upgrade = function(req)
        return { user = req.query.user, info = { name = req.query.user } }
    end,
    on_message = function(conn, msg)
        local serial, code = msg.data:match "^%?(%d+) (.*)$"
        local chunk = assert(loadstring("local conn, tw, lab = ...\n" .. code, "=chunk"))
        return answer(conn, serial, pcall(chunk, conn, tw, lab))
    end,
    on_recover_fail = function(conn, channel, since)
        table.insert(lab.gaps, { id = conn.id, channel = channel, since = since })
        conn:send { gap = channel, since = since or tw.json.null }
    end,
    on_unsubscribe = function(conn, channel, reason)
        table.insert(lab.ended, { id = conn.id, channel = channel, reason = reason })
        conn:send { ended = channel, reason = reason }
    end,
}

local function app(settings)
    for name, hook in pairs(hooks) do
        settings[name] = hook
    end
    settings.drain = { spread = 0 }
    return tw.app(settings)
end

return tw.routes {
    ["/"] = app {},
    ["/two"] = app { user_connections = { max = 2 } },
    ["/first"] = app { user_connections = { max = 1, over = "newest" } },
    ["POST /run"] = function(req)
        return assert(loadstring("local tw, lab = ...\n" .. req.body, "=chunk"))(tw, lab)
    end,
}
