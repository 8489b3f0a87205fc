-- chat.lua - rooms, nicknames, who is here, private words, typing marks. Its
-- page is www/chat/.
--
-- Messages are JSON objects with a type. From the page:
--   { type = "hello", key =, since = }  who it is: a secret that all devices of
--                                       one person share, 24 to 64 characters
--   { type = "join", room =, nick =, since = }
--                                       enter a room, move to another one, or
--                                       take another nickname in the same
--   { type = "say", text =, ref = }     `ref` comes back, with the message or
--                                       with the error
--   { type = "whisper", to =, text =, ref = }
--                                       to all devices of one person in the room
--   { type = "typing", on = }
--   { type = "people" }                 asks who is here
-- To the page:
--   welcome, hello, joined, position, people, error
--                                       to this connection
--   whisper                             to all devices of both persons
--   say, presence, rename, typing       to everybody in a room
--   rooms, reload                       to everybody
--
-- Only channels carry what is said, so the two people of a conversation may
-- sit on different workers. A speaker hears itself through the channel too:
-- that way everybody sees the same order.
--
-- What people say and whisper is kept for a while. Who comes gets the newest of
-- it, and who comes back all that they missed, or is told that they may have
-- missed something. The words `stream`, `position` and `since` are for that;
-- www/lib/stream.js explains them.
--
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"
local bucket = require "lib.bucket"
local rooms = require "lib.rooms"
local stream = require "lib.stream"
local text = require "lib.text"

local LIMITS = { nick = 24, room = 24, text = 500 } -- in characters

-- What is polite. Whoever is faster gets an answer that says so.
local TALK = { rate = 1, burst = 6 }
local MOVE = { rate = 0.5, burst = 6 }
local MARK = { rate = 1, burst = 4 }

local KEPT = 100 -- messages of a room, for whoever enters or comes back
local LISTED = 100 -- people; more are counted, not listed
local FOUND = 1000 -- people among whom a whisper finds its own

-- The stream of what is whispered to somebody. No room has such a name.
local PRIVATE = "@private"

-- What a page may know of somebody. `to` is how to whisper to them: a name that
-- the hub gave, so nobody can take it. The user itself is a secret.
---@param member table of presence
---@return table
local function person(member)
    local card = member.info or {}
    return { to = member.id, id = card.id, nick = card.nick }
end

---@param members table[]?
---@return table[]? people nil when there are none
local function persons(members)
    if not members or #members == 0 then
        return nil
    end
    local people = {}
    for i = 1, #members do
        people[i] = person(members[i])
    end
    return people
end

-- The hub has gathered who came and went. What this returns goes to the people
-- in the room, and is no publication: it has no place in the room's history.
---@param channel string
---@param change table
---@return table
local function word_presence(channel, change)
    return {
        type = "presence",
        room = rooms.name(channel),
        joined = persons(change.joined),
        left = persons(change.left),
        count = change.count,
        reset = change.reset, -- something may be missing: the page asks anew
    }
end

tw.channels {
    -- A reader that is too slow for a conversation would miss words without
    -- knowing. It is closed instead; its page comes back and gets them.
    ["chat:room:*"] = {
        slow = "close",
        history = KEPT,
        ttl = 3600,
        presence = "events",
        tell = word_presence,
    },
    -- The channel of one person, to which tw.user(...):send publishes.
    ["user:*"] = { history = KEPT, ttl = 86400 },
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

-- What a room's list of people says of this connection.
---@param state table
---@return table
local function card_of(state)
    return { nick = state.nick, id = state.id }
end

-- Answers who is here. Waits.
---@param conn tw.Conn
---@param state table
local function tell_people(conn, state)
    local room = state.room
    local here, err = tw.channel(state.channel):presence { limit = LISTED }
    if not here then
        return refuse(conn, err.code, "Who is here is not known just now: " .. err.message)
    end
    conn:send { type = "people", room = room, people = persons(here.members), count = here.count }
end

-- One function for each type that a page may send.
local commands = {}

function commands.hello(conn, state, message)
    local key = message.key
    if type(key) ~= "string" or #key < 24 or #key > 64 or key:find("[^%w_-]") then
        return refuse(conn, "bad_key", "A key has 24 to 64 letters, digits, hyphens or underscores.")
    end
    if conn.user then
        return refuse(conn, "exists", "You have said who you are.")
    end
    -- Whoever logs in is subscribed to their channel anyway, from then on. Doing
    -- it here brings what was whispered before, too.
    local asked = { since = message.since, last = KEPT }
    local position, err = stream.enter(conn, "user:" .. key, PRIVATE, asked)
    if not position then
        return refuse(conn, err.code, "You could not be logged in: " .. err.message)
    end
    conn:login(key)
    -- Tells people of the same name apart, and is the same on all devices.
    state.id = key:sub(1, 8)
    conn:send { type = "hello", id = state.id, position = position }
end

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

    local channel = rooms.channel(room)
    local before, left = state.nick, state.channel
    local is_here = room == state.room
    state.nick = nick
    if is_here then
        -- Another name: out and in again, so that the list of people has it.
        -- With `since` nothing is missed in between, and that somebody goes and
        -- comes within a moment is not told.
        conn:unsubscribe(channel)
    end
    -- The new room first: if that fails, the person stays where they are.
    local asked = { since = message.since, last = KEPT, info = card_of(state) }
    local position, err = stream.enter(conn, channel, room, asked)
    if not position then
        state.nick = before
        if is_here then
            return conn:close(1013, "the room is away") -- the page comes back
        end
        return refuse(conn, err.code, "The room could not be entered: " .. err.message)
    end
    state.room, state.channel = room, channel
    if left and not is_here then
        conn:unsubscribe(left)
        rooms.touch(rooms.name(left))
    end

    -- What is sent before the next wait leaves ahead of the channel's first
    -- publication: the page knows its place before it hears from there.
    conn:send { type = "joined", room = room, nick = nick, position = position }
    if is_here and nick ~= before then
        local news = { type = "rename", room = room, id = state.id, nick = nick, before = before }
        tw.publish(channel, news, { history = false })
    end
    rooms.touch(room)
    tell_people(conn, state)
end

-- The text of a message, if it may be said now; otherwise answers why not.
---@param conn tw.Conn
---@param state table
---@param message table
---@param ref string|number|nil
---@return string?
local function checked_text(conn, state, message, ref)
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
    return body
end

-- A page that lost its line before it heard its own message says it again. With
-- the same id it is not published twice. The key in it keeps others from using
-- it before.
---@param conn tw.Conn
---@param ref string|number|nil
---@return string?
local function id_of(conn, ref)
    return conn.user and ref and ("%s/%s"):format(conn.user, ref)
end

function commands.say(conn, state, message)
    local ref = checked_ref(message.ref)
    local body = checked_text(conn, state, message, ref)
    if not body then
        return
    end
    local accepted, err = tw.publish(state.channel, {
        type = "say",
        stream = state.room,
        id = state.id,
        nick = state.nick,
        text = body,
        at = tw.now(),
        ref = ref,
    }, { id = id_of(conn, ref) })
    if not accepted then
        return refuse(conn, err.code, "Not delivered: " .. err.message, { ref = ref })
    end
    rooms.know(state.room)
end

-- Who whispers to whom, as the hub knows them. Waits.
---@param conn tw.Conn
---@param state table
---@param to any
---@return table? me
---@return table? you
local function find(conn, state, to)
    local me, you
    local here = tw.channel(state.channel):presence { limit = FOUND }
    for _, member in ipairs(here and here.members or {}) do
        if member.user and member.user == conn.user then
            me = member
        end
        if member.user and member.id == to then
            you = member
        end
    end
    return me, you
end

function commands.whisper(conn, state, message)
    local ref = checked_ref(message.ref)
    local body = checked_text(conn, state, message, ref)
    if not body then
        return
    end
    local me, you = find(conn, state, message.to)
    if not me or not you or me == you then
        return refuse(conn, "not_found", "They are not here any more.", { ref = ref })
    end
    local whisper = {
        type = "whisper",
        stream = PRIVATE,
        from = person(me),
        to = person(you),
        text = body,
        at = tw.now(),
        ref = ref,
    }
    -- To every device of both, on whichever worker; who is away finds it later.
    local options = { id = id_of(conn, ref) }
    local accepted, err = tw.user(you.user):send(whisper, options)
    if accepted then
        accepted, err = tw.user(me.user):send(whisper, options)
    end
    if not accepted then
        refuse(conn, err.code, "Not delivered: " .. err.message, { ref = ref })
    end
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
        }, { except = conn, history = false })
    end
end

function commands.people(conn, state)
    if state.room then
        tell_people(conn, state)
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
        -- Until it says who it is. The end of an id is random; it begins with
        -- where the connection is, which another one may be later.
        state.id = conn.id:sub(-8)
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

    -- Something of a channel was lost on its way, and history could not mend
    -- it: the channel's home died. In again, for what is left.
    on_recover_fail = function(conn, channel)
        local state = conn.state
        if channel == rooms.DIRECTORY or not conn:subscribed(channel) then
            return -- the directory is told anew all the time
        end
        conn:unsubscribe(channel)
        local is_room = channel == state.channel
        local name = is_room and state.room or PRIVATE
        local asked = { last = KEPT, info = is_room and card_of(state) or nil }
        local position, err = stream.enter(conn, channel, name, asked)
        if not position then
            return conn:close(1013, err.message) -- the page comes back
        end
        conn:send { type = "position", position = position }
    end,

    on_close = function(conn)
        if conn.state.room then
            rooms.touch(conn.state.room)
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
