-- notify - backends tell people something, on all their devices: at once, or
-- when they are back. What one device marks as read is read on the others, and
-- the backend that sent it can see so.
--
--   POST /notes/:user        a backend sends { id =, title =, text = }; the same
--                            id again is the same note
--   GET  /notes/:user/:id    it asks what became of it
--   POST /login, /logout     who is at this browser; for development only
--   GET  /me                 who that is
--   /device                  the WebSocket of a device; see devices.lua
--
--   tidewire run examples/notify/main.lua --config examples/notify/config.lua
--
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"
local devices = require "devices"
local login = require "login"
local notes = require "notes"
local senders = require "senders"

-- What a user was told and has read is kept for a while, the newest of it.
tw.channels {
    ["user:*"] = { history = 400, ttl = notes.KEPT },
}

-- How many notes a second one sender may send.
local RATE = tw.config.get("rate", { rate = 50, burst = 200 })

---@param err tw.Error
local function later(err)
    local seconds = math.ceil(err.retry_after or 1)
    local status = err.code == "limit" and 429 or 503
    return status, { error = err.message }, { ["retry-after"] = seconds }
end

-- What the request is about, or what it is answered with instead.
---@param req tw.Request
---@return string? sender
---@return integer|string status or user
---@return table? answer
local function checked(req)
    local sender = senders.of(req)
    if not sender then
        return nil, 401, { error = "a key is needed" }
    end
    if not notes.is_user(req.params.user) then
        return nil, 400, { error = "that is no user" }
    end
    return sender, req.params.user
end

local function send(req)
    local sender, user, answer = checked(req)
    if not sender then
        return user, answer
    end
    local ok, err = tw.limit("notify:" .. sender, RATE)
    if not ok then
        return later(err)
    end
    local note, problem = notes.read_request(req:json())
    if not note then
        return 400, { error = problem }
    end
    local status
    status, err = notes.send(sender, user, note)
    if not status then
        return later(err)
    end
    return 202, status, { location = ("/notes/%s/%s"):format(user, note.id) }
end

local function status_of(req)
    local sender, user, answer = checked(req)
    if not sender then
        return user, answer
    end
    local status, err = notes.status(sender, user, req.params.id)
    if err then
        return later(err)
    end
    if not status then
        return 404, { error = "there is no such note" }
    end
    return 200, status
end

return tw.routes {
    ["POST /notes/:user"] = send,
    ["GET /notes/:user/:id"] = status_of,
    ["POST /login"] = login.enter,
    ["POST /logout"] = login.leave,
    ["GET /me"] = login.tell,
    ["/device"] = devices,
    ["/lib/*"] = tw.static "../../scripts/www/lib",
    ["/*"] = tw.static "www",
}
