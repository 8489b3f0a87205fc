-- @NAME@ - a backend tells people something: on all their devices at once, and
-- later on those that are away. The page is www/index.html.
local tw = require "tidewire"

-- What a user was sent is kept for a week, the newest hundred of it.
tw.channels {
    ["user:*"] = { history = 100, ttl = 7 * 86400 },
}

local key = tw.config.get "push_key"
if not key then error "push_key is missing: see config.lua" end

-- Looks at every byte, so that the time says nothing about where they differ.
local function same(a, b)
    if #a ~= #b then return false end
    local differ = 0
    for i = 1, #a do
        if a:byte(i) ~= b:byte(i) then differ = differ + 1 end
    end
    return differ == 0
end

-- Where a device has read up to. A page may send anything: what is no place is
-- none.
local function place(query)
    local offset = tonumber(query.offset)
    if query.epoch and #query.epoch <= 16 and offset and offset >= 0 and offset % 1 == 0 then
        return { epoch = query.epoch, offset = offset }
    end
end

local devices = tw.app {
    user_connections = { max = 10, over = "oldest" },

    on_upgrade = function(req)
        local user = req.query.user
        if not user or user == "" or #user > 64 or not tw.utf8.valid(user) then
            return nil, { status = 401, reason = "who are you?" }
        end
        return { user = user } -- your session instead, before anybody else uses it
    end,

    on_open = function(conn, req)
        local since = place(req.query)
        local at, err = conn:subscribe("user:" .. conn.user, { since = since, last = 20 })
        if not at then return nil, err end
        conn:send {
            type = "welcome",
            epoch = at.epoch,
            offset = at.offset - at.count,
            missed = since ~= nil and not at.recovered,
        }
    end,
}

local function notify(req)
    if not same(req.headers.authorization or "", "Bearer " .. key) then
        return 401, { error = "a key is needed" }
    end
    if req.body == "" or not tw.utf8.valid(req.body) then
        return 400, { error = "the body must be text" }
    end
    local at, err = tw.user(req.params.user):send({ type = "note", text = req.body, at = tw.now() }, {
        id = req.headers["idempotency-key"], -- the same again is not sent again
        wait = true,
    })
    if not at then
        return 503, { error = err.code }, { ["retry-after"] = "1" }
    end
    return 202, { epoch = at.epoch, offset = at.offset }
end

return tw.routes {
    ["/device"] = devices,
    ["POST /notify/:user"] = notify,
    ["/*"] = tw.static "www",
}
