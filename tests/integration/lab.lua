-- An app whose clients say what its hooks do: "?N code" runs protected and is
-- answered with "=N {results}", "!code" is the hook itself, anything else is
-- echoed. `lab` is a table that all chunks of a worker share.
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"

local lab = { closed = {}, slow = {} }

-- Declared by name, so that tests of any policy share this script.
tw.channels {
    ["slow:close:*"] = { slow = "close" },
    ["slow:new:*"] = { slow = "drop_new" },
    ["slow:old:*"] = { slow = "drop_old" },
    ["slow:conflate:*"] = { slow = "conflate" },
    ["batch:*"] = { batch = 0.2 },
}

local function compile(code)
    return assert(loadstring("local conn, msg, tw, lab = ...\n" .. code, "=chunk"))
end

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

local function on_message(conn, msg)
    local text = msg.data
    local serial, code = text:match "^%?(%d+) (.*)$"
    if serial then
        return answer(conn, serial, pcall(compile(code), conn, msg, tw, lab))
    end
    if text:sub(1, 1) == "!" then
        return compile(text:sub(2))(conn, msg, tw, lab)
    end
    return conn:send(msg)
end

-- "/open?code" runs code in on_open, "/upgrade?code" in on_upgrade.
local function on_open(conn, req)
    if req.query.open then
        return compile(req.query.open)(conn, req, tw, lab)
    end
end

local function on_upgrade(req)
    if req.query.upgrade then
        return compile(req.query.upgrade)(nil, req, tw, lab)
    end
    return true
end

local function on_close(conn, code, reason)
    table.insert(lab.closed, { id = conn.id, code = code, reason = reason })
    if lab.on_close then
        return lab.on_close(conn, code, reason)
    end
end

local function on_slow(_, info)
    table.insert(lab.slow, { channel = info.channel, queued = info.queued, dropped = info.dropped })
end

local function on_alarm(conn, name)
    if lab.on_alarm then
        return lab.on_alarm(conn, name)
    end
    return conn:send("alarm " .. name)
end

local function app(options)
    options.on_upgrade, options.on_open, options.on_message = on_upgrade, on_open, on_message
    options.on_close, options.on_slow, options.on_alarm = on_close, on_slow, on_alarm
    options.drain = options.drain or { spread = 0 }
    options.max_message = options.max_message or 1048576
    -- Whoever does not read for a while does not answer pings, either.
    options.ping, options.idle = 1800, 3600
    return tw.app(options)
end

local function handle(req)
    local code = req.body ~= "" and req.body or req.query.code
    return compile(code)(nil, req, tw, lab)
end

return tw.routes {
    ["/"] = app {},
    ["/ignore"] = app { errors = "ignore" },
    ["/rate/close"] = app { rate = { messages = 5, burst = 5 } },
    ["/rate/drop"] = app { rate = { messages = 5, burst = 5, over = "drop" } },
    ["/rate/wait"] = app { rate = { messages = 20, burst = 5, over = "wait" } },
    ["/drain"] = app { drain = { spread = 0, code = 4012 } },
    ["POST /run"] = handle,
    ["GET /run"] = handle,
}
