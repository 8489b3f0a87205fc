-- stream.lua - words positions for pages, as www/lib/stream.js reads them.
--
-- The raw wire carries what scripts say and nothing else, so a script that
-- wants its pages to miss nothing tells them where they stand. That file has
-- the three words, `stream`, `position` and `since`, and their rules.
--
-- SPDX-License-Identifier: MIT
local M = {}

local MAX_EPOCH = 16 -- bytes
local MAX_OFFSET = 2 ^ 53

---@class stream.since
---@field epoch string
---@field offset integer

--- Where a page says that it is. It may say anything.
---@param value any what the client sent
---@return stream.since? since nil when it is no position
function M.since(value)
    if type(value) ~= "table" then
        return nil
    end
    local epoch, offset = value.epoch, value.offset
    if type(epoch) ~= "string" or #epoch > MAX_EPOCH then
        return nil
    end
    -- Whole numbers only; NaN and infinity are none.
    if type(offset) ~= "number" or offset < 0 or offset >= MAX_OFFSET or offset % 1 ~= 0 then
        return nil
    end
    return { epoch = epoch, offset = offset }
end

---@class stream.position
---@field stream string
---@field epoch string
---@field offset integer
---@field count integer

--- Subscribes: from where the page says that it is, if history reaches back to
--- there, or else with the newest of what is kept. Waits. What is sent right
--- behind it arrives ahead of the channel's first publication: the position has
--- to be in it.
---@param conn tw.Conn
---@param channel string
---@param name string of the stream, for the page
---@param options { since: any, last: integer, info: any } `since` as the page
---    sent it; `last`, how many are the newest; `info` for presence
---@return stream.position? position
---@return tw.Error? err
function M.enter(conn, channel, name, options)
    local since = M.since(options.since)
    local last, info = options.last, options.info
    local at, err = conn:subscribe(channel, {
        since = since,
        last = not since and last or nil,
        info = info,
    })
    if at and since and not at.recovered then
        -- Out and in again, for what there is. The page compares the position
        -- with its own, and sees that something is missing.
        conn:unsubscribe(channel)
        at, err = conn:subscribe(channel, { last = last, info = info })
    end
    if not at then
        return nil, err
    end
    return { stream = name, epoch = at.epoch, offset = at.offset, count = at.count }
end

return M
