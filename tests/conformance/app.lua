-- The server of the conformance suite: echoes, and scripts that close, choose
-- subprotocols, answer HTTP and serve files.
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"

local function echo(conn, msg)
    return conn:send(msg)
end

local function app(options)
    options.on_message = options.on_message or echo
    options.drain = { spread = 0 }
    return tw.app(options)
end

local known = { chat = true, superchat = true }

-- The client's first choice among those we know.
local function choose(req)
    for _, name in ipairs(req.protocols) do
        if known[name] then
            return { subprotocol = name }
        end
    end
    return true
end

local refusals = {
    ["400"] = { status = 400, reason = "no" },
    ["401"] = { status = 401, reason = "who are you?" },
    ["404"] = tw.error("not_found", "no such room"),
    ["429"] = tw.error("limit", "too many"),
    ["503"] = tw.error("unavailable", "later"),
}

-- "code reason" closes; what may not be sent is answered with the error.
local function close_as_told(conn, msg)
    local code, reason = msg.data:match "^(%S+) ?(.*)$"
    local ok, err = pcall(conn.close, conn, tonumber(code), reason)
    if not ok then
        conn:send("refused: " .. tostring(err))
    end
end

return tw.routes {
    ["/echo"] = app {},
    ["/big"] = app { max_message = 1048576 },
    ["/small"] = app { max_message = 1000 },
    ["/plain"] = app { deflate = "off" },
    ["/heart"] = app { ping = 0.3, idle = 0.9 },
    ["/close"] = app { on_message = close_as_told },
    ["/proto"] = app {
        on_upgrade = choose,
        on_open = function(conn)
            return conn:send(conn.subprotocol or "none")
        end,
    },
    ["/unoffered"] = app {
        on_upgrade = function()
            return { subprotocol = "nobody-offered" }
        end,
    },
    ["/refuse/:status"] = app {
        on_upgrade = function(req)
            return nil, refusals[req.params.status]
        end,
    },
    ["/nothing"] = app { on_upgrade = function() end },
    ["/origins"] = app {
        origins = {
            "https://app.example",
            "https://*.example.org",
            "http://localhost:*",
            "https://port.example:8443",
        },
    },
    ["/any-origin"] = app { origins = { "*" } },
    ["/null-origin"] = app { origins = { "null" } },

    ["GET /hello"] = function(req)
        return 200, "hello " .. (req.query.name or "you")
    end,
    ["GET /doc/:id"] = function(req)
        return 200, { id = req.params.id, query = req.query }
    end,
    ["POST /body"] = function(req)
        return 200, req.body
    end,
    ["PUT /body"] = function(req)
        return 201, { bytes = #req.body }
    end,
    ["POST /json"] = function(req)
        local value, err = req:json()
        if not value then
            return 400, { error = err.code }
        end
        return 200, value
    end,
    ["GET /headers"] = function(req)
        return 200, req.headers, { ["X-Kind"] = "headers", ["Set-Cookie"] = { "a=1", "b=2" } }
    end,
    ["GET /cookies"] = function(req)
        return 200, req.cookies
    end,
    ["GET /empty"] = function()
        return 204
    end,
    ["GET /raises"] = function()
        error "on purpose"
    end,
    ["GET /never"] = function()
        tw.sleep(3600)
        return 200, "never"
    end,
    ["GET /slowly"] = function()
        tw.sleep(0.05)
        return 200, "slowly"
    end,
    ["/files/*"] = tw.static "files",
}
