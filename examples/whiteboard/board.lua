-- board.lua - the WebSocket of a board.
--
-- From the page:
--   { type = "hello", key =, nick =, color =, since = }
--                                who it is: a secret that all windows of a person
--                                share; `since` when it was here before
--   { type = "cursor", x =, y = }
--   { type = "piece", id =, color =, width =, points = }
--                                of a stroke that is being drawn
--   { type = "stroke", id =, color =, width =, points = }
--                                the whole of it, when the pen is lifted
--   { type = "undo", n = }       one's own stroke
--   { type = "clear", upto = }   all strokes up to that one
--   { type = "people" }          asks who is here
-- To the page:
--   { type = "here", me =, whole =, limit =, worker =, position = }
--                                with `whole` all strokes follow, else those
--                                that were missed
--   { type = "strokes", list =, cleared =, last = }
--   { type = "people", people =, count = }
--   { type = "refused", id =, n =, code =, text = }
-- To all on the board:
--   stroke, erase { n = }, clear { upto = }     which are kept, with a `stream`
--   piece                                       which is not
--   cursor, presence                            the newest counts
--
-- Points are pairs in a list, x, y, x, y, in units of which a board has 16,000
-- by 10,000 whatever the size of the screen. `stream`, `position` and `since`
-- are explained in scripts/www/lib/stream.js.
--
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"
local drawing = require "drawing"
local strokes = require "strokes"

local M = {}

local STREAM = "board"
local CHUNK = 64 * 1024 -- bytes of strokes in one message
local AHEAD = 256 * 1024 -- bytes that may wait for a page before more are sent

-- What others may know of somebody is what they came with.
---@param members tw.Member[]
local function cards(members)
    local list = tw.json.array {}
    for i, member in ipairs(members) do
        list[i] = member.info
    end
    return list
end

local function word_presence(_, change)
    return {
        type = "presence",
        joined = cards(change.joined),
        left = cards(change.left),
        count = change.count,
        reset = change.reset,
    }
end

tw.channels {
    -- What was drawn while a page was away for a moment; all of it is in the
    -- dictionary.
    ["board:*"] = { history = 300, ttl = 600, presence = "events", tell = word_presence },
    -- Of everybody's cursor only the newest matters. One that has not moved for
    -- a while is not shown to who comes.
    ["cursor:*"] = { slow = "conflate", retain = 100, ttl = 20, batch = 0.02 },
}

--- Small letters, digits and hyphens: it becomes part of names.
---@param name string?
---@return boolean
function M.is_name(name)
    return name ~= nil and #name <= 40 and name:find "^[%l%d-]+$" ~= nil
end

---@param conn tw.Conn
---@param message table what is refused
---@param err tw.Error
local function refuse(conn, message, err)
    conn:send {
        type = "refused",
        id = message.id,
        n = message.n,
        code = err.code,
        text = err.message,
    }
end

local INVALID = tw.error("invalid", "That is not a drawing.")

---@param conn tw.Conn
---@param list string[] JSON
---@param from integer
---@param upto integer
---@param cleared integer
local function send_list(conn, list, from, upto, cleared)
    local text = '{"type":"strokes","cleared":%d,"last":%s,"list":[%s]}'
    local is_last = tostring(upto == #list)
    return conn:send(text:format(cleared, is_last, table.concat(list, ",", from, upto)))
end

-- A full board is larger than what may wait for a page at once. So it is sent in
-- parts, each when there is room. Waits.
---@param conn tw.Conn
---@return true? ok
---@return tw.Error? err
local function send_all(conn)
    local list, cleared = strokes.all(conn.state.board)
    if not list then
        return nil, cleared
    end
    local from, bytes = 1, 0
    for i = 1, #list - 1 do
        bytes = bytes + #list[i]
        if bytes >= CHUNK then
            send_list(conn, list, from, i, cleared)
            from, bytes = i + 1, 0
            while (conn:queued() or 0) > AHEAD do
                if not tw.sleep(0.02) then
                    return nil, tw.error("timeout", "too slow")
                end
            end
        end
    end
    return send_list(conn, list, from, #list, cleared)
end

---@param conn tw.Conn
local function tell_people(conn)
    local here = tw.channel(conn.state.channel):presence { limit = 50 }
    if here then
        conn:send { type = "people", people = cards(here.members), count = here.count }
    end
end

-- Subscribes first and reads the strokes then: what is drawn in between comes
-- twice rather than not at all. Waits.
---@param conn tw.Conn
---@param since tw.Position?
local function enter(conn, since)
    local state = conn.state
    local me = { id = state.id, nick = state.nick, color = state.color }
    local at, err = conn:subscribe(state.channel, { since = since, info = me })
    local ok = at
    if at then
        conn:send {
            type = "here",
            me = me,
            whole = not at.recovered,
            limit = strokes.LIMIT,
            worker = tw.worker,
            position = { stream = STREAM, epoch = at.epoch, offset = at.offset, count = at.count },
        }
        if not at.recovered then
            ok, err = send_all(conn)
        end
    end
    if not ok then
        conn:close(1013, err.message) -- the page comes back
    end
end

-- One function for each type that a page may send.
local commands = {}

function commands.hello(conn, message)
    local state = conn.state
    local key, nick = message.key, message.nick
    if state.id or type(key) ~= "string" or not key:find "^[%w_-]+$" or #key < 24 or #key > 64 then
        return conn:close(1008, "who are you?")
    end
    nick = type(nick) == "string" and nick:gsub("%c", "") or ""
    nick = tw.utf8.sub(nick, 1, 24)
    -- Others may see this, and cannot tell the key from it.
    state.id = tw.crypto.sha256(key, { as = "hex" }):sub(1, 16)
    state.nick = nick:find "%S" and nick or "Somebody"
    state.color = drawing.is_color(message.color) and message.color or 1
    conn:alarm(nil, "hello")
    conn:login(state.id)
    local ok, err = conn:subscribe(state.cursors)
    if not ok then
        return conn:close(1013, err.message)
    end
    enter(conn, drawing.place(message.since))
    tell_people(conn)
end

function commands.cursor(conn, message)
    local state = conn.state
    if drawing.is_point(message.x, message.y) then
        tw.publish(state.cursors, {
            type = "cursor",
            id = state.id,
            nick = state.nick,
            color = state.color,
            x = message.x,
            y = message.y,
        }, { key = state.id, except = conn })
    end
end

function commands.piece(conn, message)
    local piece = drawing.read("piece", conn.state.id, message)
    if piece then
        tw.publish(conn.state.channel, piece, { except = conn, history = false })
    end
end

function commands.stroke(conn, message)
    local state = conn.state
    local stroke = drawing.read("stroke", state.id, message)
    if not stroke then
        return refuse(conn, message, INVALID)
    end
    stroke.stream = STREAM
    local json, err = strokes.add(state.board, stroke)
    if not json and not err then
        return -- it was undone meanwhile
    end
    local ok = json
    if json then
        ok, err = tw.publish(state.channel, json, { id = stroke.by .. stroke.id })
    end
    if not ok then
        refuse(conn, message, err)
    end
end

function commands.undo(conn, message)
    local state = conn.state
    if not drawing.is_number(message.n) then
        return refuse(conn, message, INVALID)
    end
    local ok, err = strokes.undo(state.board, message.n, state.id)
    if ok then
        ok, err = tw.publish(state.channel, { type = "erase", stream = STREAM, n = message.n })
    end
    if not ok then
        refuse(conn, message, err)
    end
end

function commands.clear(conn, message)
    local state = conn.state
    if not drawing.is_number(message.upto) then
        return refuse(conn, message, INVALID)
    end
    local upto, err = strokes.clear(state.board, message.upto)
    local ok = upto
    if upto then
        local news = { type = "clear", stream = STREAM, upto = upto, by = state.nick }
        ok, err = tw.publish(state.channel, news)
    end
    if not ok then
        refuse(conn, message, err)
    end
end

function commands.people(conn)
    tell_people(conn)
end

M.app = tw.app {
    max_message = 32768,
    -- A pen that is drawn quickly; a flood is read more slowly.
    rate = { messages = 100, burst = 200, over = "wait" },

    on_upgrade = function(req)
        if not M.is_name(req.params.board) then
            return nil, tw.error("not_found", "no such board")
        end
        return true
    end,

    on_open = function(conn, req)
        local state = conn.state
        state.board = req.params.board
        state.channel, state.cursors = "board:" .. state.board, "cursor:" .. state.board
        conn:alarm(10, "hello")
    end,

    on_alarm = function(conn)
        conn:close(1008, "no hello")
    end,

    on_message = function(conn, msg)
        local message = not msg.binary and msg:json()
        local command = message and commands[message.type]
        if not command or not (conn.state.id or message.type == "hello") then
            return conn:close(1008, "there is no such message")
        end
        command(conn, message)
    end,

    -- The board's home has died, and with it what was on its way. The strokes
    -- are where they were: in again, and all of them once more.
    on_recover_fail = function(conn, channel)
        if channel == conn.state.channel and conn:subscribed(channel) then
            conn:unsubscribe(channel)
            enter(conn)
            tell_people(conn)
        end
    end,

    on_close = function(conn)
        local state = conn.state
        if state.id then
            tw.channel(state.cursors):remove(state.id)
        end
    end,
}

return M
