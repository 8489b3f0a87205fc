-- room.lua - the room: whatever is said in it was checked.
--
-- From the page, which connects with ?name=NAME:
--   { type = "hello", since = }
--   { type = "say", text =, ref = }
-- To the page:
--   { type = "welcome", name =, position = }
--   { type = "said", stream =, name =, text =, at =, ref =, took =, unchecked = }
--                               to all: `took` has milliseconds by who was
--                               asked, `unchecked` names who did not answer
--   { type = "refused", code =, text =, ref =, took = }
--                               to whom it was refused
-- `stream`, `position` and `since` are explained in scripts/www/lib/stream.js.
--
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"
local check = require "check"

local STREAM = "room"
local NEWEST = 20
local LONGEST = 500 -- characters

-- A page may send anything: what is no place is none.
---@param value any
---@return tw.Position?
local function place(value)
    local is_place = type(value) == "table"
        and type(value.epoch) == "string" and #value.epoch <= 16
        and type(value.offset) == "number" and value.offset >= 0 and value.offset % 1 == 0
    return is_place and { epoch = value.epoch, offset = value.offset } or nil
end

-- Subscribes and tells the page where it is: ahead of what it missed. Waits.
---@param conn tw.Conn
---@param since tw.Position?
local function enter(conn, since)
    local channel = conn.state.channel
    local at, err = conn:subscribe(channel, { since = since, last = not since and NEWEST or nil })
    if at and since and not at.recovered then
        conn:unsubscribe(channel)
        at, err = conn:subscribe(channel, { last = NEWEST })
    end
    if not at then
        return conn:close(1013, err.message) -- the page comes back
    end
    local position = { stream = STREAM, epoch = at.epoch, offset = at.offset, count = at.count }
    conn:send { type = "welcome", name = conn.user, position = position }
end

local commands = {}

function commands.hello(conn, message)
    if not conn:subscribed(conn.state.channel) then
        enter(conn, place(message.since))
    end
end

-- While the check waits, this connection is not read: what it says next is
-- checked next, and published behind this. Other connections go on.
function commands.say(conn, message)
    local text, ref = message.text, message.ref
    if type(ref) ~= "string" or #ref > 32 then
        return conn:close(1008, "a reference is needed")
    end
    if type(text) ~= "string" or text:find "^%s*$" or tw.utf8.len(text) > LONGEST then
        local why = ("1 to %d characters, please."):format(LONGEST)
        return conn:send { type = "refused", code = "invalid", text = why, ref = ref }
    end
    local refusal, how = check.ask(conn.user, text)
    if not refusal then
        local ok, err = tw.publish(conn.state.channel, {
            type = "said",
            stream = STREAM,
            name = conn.user,
            text = text,
            at = tw.now(),
            ref = ref,
            took = how.took,
            unchecked = how.unchecked,
        }, { id = conn.user .. "/" .. ref })
        if ok then
            return
        end
        refusal = { code = err.code, text = err.message }
    end
    conn:send {
        type = "refused",
        code = refusal.code,
        text = refusal.text,
        ref = ref,
        took = how.took,
    }
end

return tw.app {
    max_message = 8192,
    rate = { messages = 20, burst = 40, over = "wait" },

    -- Whoever they say they are: put your session here, or bans are worth little.
    on_upgrade = function(req)
        local name, room = req.query.name or "", req.params.room
        local is_name = name:find "^[%w_-]+$" and #name <= 24
        if not is_name or not room:find "^[%w-]+$" or #room > 24 then
            return nil, { status = 400, reason = "name and room: 1 to 24 letters and digits" }
        end
        return { user = name }
    end,

    on_open = function(conn, req)
        conn.state.channel = "room:" .. req.params.room
    end,

    on_message = function(conn, msg)
        local message = not msg.binary and msg:json()
        local command = message and commands[message.type]
        if not command then
            return conn:close(1008, "there is no such message")
        end
        command(conn, message)
    end,

    -- The worker died that kept the room's history: what is left, then.
    on_recover_fail = function(conn, channel)
        if conn:subscribed(channel) then
            conn:unsubscribe(channel)
            enter(conn)
        end
    end,
}
