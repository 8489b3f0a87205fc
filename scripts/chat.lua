-- chat.lua - rooms, nicknames, typing marks. Its page is www/chat/.
--
-- Messages are JSON objects with a type. From the page:
--   { type = "join", room =, nick = }   enter a room, or move to another one
--   { type = "nick", nick = }           take another nickname
--   { type = "say", text =, ref = }     `ref` comes back, with the message or
--                                       with the error
--   { type = "typing", on = }
-- To the page:
--   welcome, joined, error              answers to this connection
--   join, leave, rename, say, typing, count
--                                       told to everybody in a room
--   rooms, reload                       told to everybody
--
-- Only channels carry what is said, so the two people of a conversation may
-- sit on different workers. A speaker hears itself through the channel too:
-- that way everybody sees the same order.
--
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"
local bucket = require "lib.bucket"
local rooms = require "lib.rooms"
local text = require "lib.text"

local LIMITS = { nick = 24, room = 24, text = 500 } -- in characters

-- What is polite. Whoever is faster gets an answer that says so.
local TALK = { rate = 1, burst = 6 }
local MOVE = { rate = 0.5, burst = 6 }
local MARK = { rate = 1, burst = 4 }

tw.channels {
    -- A reader that is too slow for a conversation would miss words without
    -- knowing. It is closed instead; its page comes back and says so.
    ["chat:room:*"] = { slow = "close" },
    -- Of the directory only the newest entry of each key matters.
    [rooms.DIRECTORY] = { slow = "conflate" },
}

---@param conn tw.Conn
---@param code string for programs
---@param why string for people
---@param fields { ref: string|number|nil, retry_after: number? }?
local function refuse(conn, code, why, fields)
    local answer = fields or {}
    answer.type, answer.code, answer.text = "error", code, why
    conn:send(answer)
end

-- A reference goes to everybody in the room, so it must be small and plain.
---@param ref any
---@return string|number|nil
local function checked_ref(ref)
    if type(ref) == "number" or (type(ref) == "string" and #ref <= 32) then
        return ref
    end
    return nil
end

-- Tells the room that this connection is in that it goes.
---@param state table
---@param how "left"|"lost"|"moved"
local function tell_leave(state, how)
    tw.publish(state.channel, {
        type = "leave",
        room = state.room,
        id = state.id,
        nick = state.nick,
        how = how,
        at = tw.now(),
    })
    rooms.touch(state.room)
end

---@param state table
---@param nick string
local function rename(state, nick)
    local before = state.nick
    state.nick = nick
    if state.room and before ~= nick then
        tw.publish(state.channel, {
            type = "rename",
            room = state.room,
            id = state.id,
            nick = nick,
            before = before,
            at = tw.now(),
        })
    end
end

---@param conn tw.Conn
---@param state table
local function tell_joined(conn, state)
    conn:send { type = "joined", room = state.room, nick = state.nick }
end

-- One function for each type that a page may send.
local commands = {}

function commands.join(conn, state, message)
    local room = text.slug(message.room, LIMITS.room)
    local nick = text.name(message.nick, LIMITS.nick) or state.nick
    if not room then
        return refuse(conn, "bad_room", "A room needs a name with letters or digits.")
    end
    if not nick then
        return refuse(conn, "bad_nick", "Please choose a nickname.")
    end
    local ok, seconds = bucket.take(state.move, MOVE, tw.clock())
    if not ok then
        local why = ("You are moving fast. Try again in %d s."):format(math.ceil(seconds))
        return refuse(conn, "too_fast", why, { retry_after = seconds })
    end

    if room == state.room then
        rename(state, nick)
        return tell_joined(conn, state)
    end

    -- The new room first: if that fails, the person stays where they are.
    local channel = rooms.channel(room)
    local subscribed, err = conn:subscribe(channel)
    if not subscribed then
        return refuse(conn, err.code, "The room could not be entered: " .. err.message)
    end
    if state.room then
        conn:unsubscribe(state.channel)
        tell_leave(state, "moved")
    end
    state.nick, state.room, state.channel = nick, room, channel

    -- What is sent before the next wait leaves ahead of the channel's first
    -- publication: the page knows its room before it hears from there.
    tell_joined(conn, state)
    tw.publish(channel, { type = "join", room = room, id = state.id, nick = nick, at = tw.now() })
    rooms.touch(room)
end

function commands.nick(conn, state, message)
    local nick = text.name(message.nick, LIMITS.nick)
    if not nick then
        return refuse(conn, "bad_nick", "Please choose a nickname.")
    end
    local ok, seconds = bucket.take(state.move, MOVE, tw.clock())
    if not ok then
        local why = ("That was a lot of names. Try again in %d s."):format(math.ceil(seconds))
        return refuse(conn, "too_fast", why, { retry_after = seconds })
    end
    rename(state, nick)
end

function commands.say(conn, state, message)
    local ref = checked_ref(message.ref)
    if not state.room then
        return refuse(conn, "no_room", "Enter a room first.", { ref = ref })
    end
    local body, problem = text.body(message.text, LIMITS.text)
    if problem == "too_long" then
        local why = ("That is too long: at most %d characters."):format(LIMITS.text)
        return refuse(conn, "too_long", why, { ref = ref })
    elseif not body then
        return refuse(conn, "empty", "There is nothing to say in that message.", { ref = ref })
    end
    local ok, seconds = bucket.take(state.talk, TALK, tw.clock())
    if not ok then
        local why = ("Not so fast, please. Try again in %d s."):format(math.ceil(seconds))
        return refuse(conn, "too_fast", why, { ref = ref, retry_after = seconds })
    end

    local accepted, err = tw.publish(state.channel, {
        type = "say",
        room = state.room,
        id = state.id,
        nick = state.nick,
        text = body,
        at = tw.now(),
        ref = ref,
    })
    if not accepted then
        return refuse(conn, err.code, "Not delivered: " .. err.message, { ref = ref })
    end
    rooms.know(state.room)
end

function commands.typing(conn, state, message)
    -- A lost mark is no loss: too many are left out without a word.
    if state.room and bucket.take(state.mark, MARK, tw.clock()) then
        tw.publish(state.channel, {
            type = "typing",
            room = state.room,
            id = state.id,
            nick = state.nick,
            on = message.on == true,
        }, { except = conn })
    end
end

return tw.app {
    version = 1, -- of what save() and conn.state look like
    max_message = 8192, -- bytes: the longest text, every character escaped
    -- Behind the polite limits stands a plain one. "wait" reads a flooding
    -- connection more slowly, so it costs nobody else anything.
    rate = { messages = 20, burst = 40, over = "wait" },

    on_open = function(conn)
        local state, now = conn.state, tw.clock()
        -- Tells people of the same name apart. The whole id stays here: it
        -- is what a connection is addressed by.
        state.id = conn.id:sub(1, 8)
        state.talk = bucket.new(TALK, now)
        state.move = bucket.new(MOVE, now)
        state.mark = bucket.new(MARK, now)

        local subscribed, err = conn:subscribe(rooms.DIRECTORY)
        if not subscribed then
            return nil, err
        end
        return conn:send {
            type = "welcome",
            id = state.id,
            limits = LIMITS,
            rooms = rooms.list(),
            generation = tw.generation,
        }
    end,

    on_message = function(conn, msg)
        local message = not msg.binary and msg:json()
        if not message then
            return refuse(conn, "invalid", "A message is a JSON object in a text frame.")
        end
        local command = commands[message.type]
        if not command then
            return refuse(conn, "unknown_type", "There is no message of that type.")
        end
        -- Hooks of one connection never overlap, so conn.state belongs to
        -- the command until it returns, also while it waits.
        command(conn, conn.state, message)
    end,

    on_close = function(conn, code)
        local state = conn.state
        if state.room then
            -- 1006: the connection broke without a goodbye.
            tell_leave(state, code == 1006 and "lost" or "left")
        end
    end,

    on_start = function(ctx)
        -- Every worker starts; one of them tells the pages.
        if ctx.reason == "reload" and tw.worker == 0 then
            local news = { type = "reload", generation = tw.generation }
            tw.publish(rooms.DIRECTORY, news, { key = "reload" })
        end
        rooms.sweep()
    end,

    save = rooms.save,
    restore = rooms.restore,
}
