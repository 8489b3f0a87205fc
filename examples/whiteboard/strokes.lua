-- strokes.lua - what is drawn on a board, where every worker finds it.
--
-- A channel keeps its history in the worker that is its home, and loses it when
-- that one dies. So the strokes of a board are kept in a dictionary, which
-- outlives any worker, and the channel only tells that there is another one.
-- Both hold together because
--
--   * a stroke is put into the dictionary before it is published: whoever
--     subscribes first and reads the dictionary then, misses none;
--   * it has a number, so to get it twice harms nobody;
--   * what may be lost on its way is asked for again by the page that wanted it,
--     until it hears it: adding, undoing and clearing may be done twice.
--
-- When the server ends, everything is gone. What must outlast it belongs into a
-- database; it would stand in this file.
--
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"

local M = {}

M.LIMIT = tw.config.get("strokes", 1000) -- of a board; beyond it the oldest go

local KNOWN = 3600 -- seconds for which a stroke that is sent again is known

-- Keys:
--   n/<board>           the number of the newest stroke
--   c/<board>           up to which number the board was cleared
--   s/<board>/<number>  a stroke, as JSON; or "-<owner>": it was undone
--   i/<board>/<id>      the number of the stroke with this id
local kept = tw.dict("whiteboard", { bytes = 16 * 1024 * 1024 })

---@param board string
---@param n integer
local function key_of(board, n)
    return ("s/%s/%d"):format(board, n)
end

-- Should the number itself be lost, the next one is still larger than all that
-- were given out: they begin with the time.
---@param board string
---@return integer? n
---@return tw.Error? err
local function next_number(board)
    return kept:incr("n/" .. board, 1, math.floor(tw.now() * 1000))
end

--- Adds a stroke, whose `by` and `id` name it, and gives it its number `n`.
---@param board string
---@param stroke table
---@return string? json as all boards shall get it; nil without an error: undone
---@return tw.Error? err
function M.add(board, stroke)
    local n, err = next_number(board)
    if not n then
        return nil, err
    end
    local name = ("i/%s/%s/%s"):format(board, stroke.by, stroke.id)
    local ok
    ok, err = kept:add(name, n, KNOWN)
    if not ok and err.code == "exists" then
        -- Sent again. The first time may have come to its end or not.
        n, err = kept:get(name)
        local before = n and kept:get(key_of(board, n))
        if before then
            return before:sub(1, 1) == "{" and before or nil
        end
        ok = n ~= nil
    end
    if not ok then
        return nil, err or tw.error("overloaded", "try again")
    end
    stroke.n = n
    local json = tw.json.encode(stroke)
    ok, err = kept:set(key_of(board, n), json)
    if not ok then
        return nil, err
    end
    kept:delete(key_of(board, n - M.LIMIT))
    return json
end

--- Takes one's own stroke away. What is left in its place tells whose it was,
--- so that it can be undone again.
---@param board string
---@param n integer
---@param by string
---@return true? ok
---@return tw.Error? err
function M.undo(board, n, by)
    local text, err = kept:get(key_of(board, n))
    if not text then
        return nil, err or tw.error "not_found"
    end
    if text == "-" .. by then
        return true
    end
    local stroke = tw.json.decode(text)
    if not stroke or stroke.by ~= by then
        return nil, tw.error("denied", "somebody else drew that")
    end
    return kept:set(key_of(board, n), "-" .. by)
end

--- Clears the board of all strokes up to a number: of what somebody saw when
--- they asked for it, not of what came meanwhile.
---@param board string
---@param upto integer
---@return integer? upto
---@return tw.Error? err
function M.clear(board, upto)
    local newest, err = kept:get("n/" .. board)
    if err then
        return nil, err
    end
    upto = math.min(upto, newest or 0)
    local before
    upto, err = kept:update("c/" .. board, function(cleared)
        before = cleared or 0
        return math.max(before, upto)
    end)
    if not upto then
        return nil, err
    end
    for n = math.max(before + 1, upto - M.LIMIT + 1), upto do
        kept:delete(key_of(board, n))
    end
    return upto
end

--- All that is on a board, in the order in which it was drawn.
---@param board string
---@return string[]? strokes as JSON
---@return integer|tw.Error cleared up to which number
function M.all(board)
    local newest, err = kept:get("n/" .. board)
    local cleared, wrong = kept:get("c/" .. board)
    if err or wrong then
        return nil, err or wrong
    end
    newest, cleared = newest or 0, cleared or 0
    local all = {}
    for n = math.max(cleared, newest - M.LIMIT) + 1, newest do
        local text
        text, err = kept:get(key_of(board, n))
        if err then
            return nil, err
        end
        if text and text:sub(1, 1) == "{" then
            all[#all + 1] = text
        end
    end
    return all, cleared
end

return M
