-- devices.lua - the WebSocket of a device.
--
-- From the device:
--   { type = "hello", since = }  where it was, if it was here before
--   { type = "read", ids = }     its user has read these
-- To the device:
--   { type = "welcome", user =, position = }
--                                and then what it missed, or the newest notes
--   { type = "note", stream =, id =, from =, title =, text =, at =, read = }
--   { type = "read", stream =, ids =, at = }
--   { type = "error", code =, text = }
-- The last but one and but two are the user's channel: all devices get them, in
-- the same order, and those that are away get them later. `stream`, `position`
-- and `since` are explained in scripts/www/lib/stream.js.
--
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"
local login = require "login"
local notes = require "notes"
local senders = require "senders"

local NEWEST = 200 -- notes and marks for a device that comes without a place

-- A device may send anything: what is no place is none.
---@param value any
---@return tw.Position?
local function place(value)
    local is_place = type(value) == "table"
        and type(value.epoch) == "string" and #value.epoch <= 16
        and type(value.offset) == "number" and value.offset >= 0 and value.offset % 1 == 0
    return is_place and { epoch = value.epoch, offset = value.offset } or nil
end

-- Subscribes and tells the device where it is: ahead of what it missed. Waits.
---@param conn tw.Conn
---@param user string
---@param since tw.Position?
---@return boolean
local function enter(conn, user, since)
    local channel = "user:" .. user
    local at, err = conn:subscribe(channel, { since = since, last = not since and NEWEST or nil })
    if at and since and not at.recovered then
        conn:unsubscribe(channel) -- not all of it is kept: what there is, then
        at, err = conn:subscribe(channel, { last = NEWEST })
    end
    if not at then
        conn:close(1013, err.message) -- the page comes back
        return false
    end
    conn:send {
        type = "welcome",
        user = user,
        position = {
            stream = notes.STREAM,
            epoch = at.epoch,
            offset = at.offset,
            count = at.count,
        },
    }
    return true
end

-- One function for each type that a device may send.
local commands = {}

-- The server subscribes a connection to the channel of its user by itself, from
-- now on. So the user is set only when that is done, from the device's place.
function commands.hello(conn, message)
    if conn.user then
        return
    end
    local user = conn.info.user
    conn:alarm(nil, "hello")
    if enter(conn, user, place(message.since)) then
        conn:login(user, conn.info)
    end
end

-- Told to all devices whatever the dictionary knows: one that missed the first
-- time says it again, and to be told twice harms nobody. Senders hear it once.
function commands.read(conn, message)
    if not conn.user then
        return
    end
    local ids, read = notes.mark(conn.user, message.ids)
    if not ids or #ids == 0 then
        return conn:send { type = "error", code = "invalid", text = "Which were read?" }
    end
    local at = tw.now()
    local news = { type = "read", stream = notes.STREAM, ids = ids, at = at }
    local ok, err = tw.user(conn.user):send(news)
    if not ok then
        conn:send { type = "error", code = err.code, text = err.message }
    end
    for sender, list in pairs(read) do
        senders.tell(sender, { user = conn.user, ids = list, read = at })
    end
end

return tw.app {
    max_message = 16384,
    rate = { messages = 10, burst = 30, over = "wait" },
    user_connections = { max = 20, over = "oldest" },

    on_upgrade = function(req)
        local user, seconds, reason = login.user_of(req)
        if not user then
            return nil, { status = 401, reason = reason }
        end
        return { info = { user = user }, expires = seconds }
    end,

    on_open = function(conn)
        conn:alarm(10, "hello")
    end,

    on_alarm = function(conn)
        conn:close(1008, "no hello")
    end,

    on_message = function(conn, msg)
        local message = not msg.binary and msg:json()
        local command = message and commands[message.type]
        if not command then
            local text = "There is no such message."
            return conn:send { type = "error", code = "invalid", text = text }
        end
        command(conn, message)
    end,

    -- The worker died that kept the user's history. What is left, then; the
    -- page sees by the position that something may be missing.
    on_recover_fail = function(conn, channel)
        if conn:subscribed(channel) then
            conn:unsubscribe(channel)
            enter(conn, conn.user)
        end
    end,
}
