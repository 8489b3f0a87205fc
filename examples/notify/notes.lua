-- notes.lua - notes, and what became of them.
--
-- What a note says travels in the channel of its user, and its history keeps it
-- for devices that are away. Whether it was read stands in a dictionary beside,
-- where all workers find it.
--
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"

local M = {}

M.KEPT = tw.config.get("kept", 7 * 86400) -- seconds
M.STREAM = "notes" -- what a page counts; see scripts/www/lib/stream.js

local TITLE, TEXT = 120, 2000 -- characters

local statuses = tw.dict("notes", { bytes = 16 * 1024 * 1024 })

---@param value any
---@param max integer characters
---@return boolean
local function is_text(value, max)
    return type(value) == "string" and tw.utf8.valid(value) and tw.utf8.len(value) <= max
end

-- Users and ids become part of names, so they look like one.
---@param value any
---@return boolean
local function is_name(value)
    return type(value) == "string" and #value <= 64 and value:find "^[%w_.@-]+$" ~= nil
end

M.is_user = is_name

--- What a backend sent.
---@param body table?
---@return { id: string, title: string, text: string }? note
---@return string? problem
function M.read_request(body)
    if not body then
        return nil, "the body must be a JSON object"
    elseif not is_name(body.id) then
        return nil, "id: 1 to 64 letters, digits and . _ @ -"
    elseif not is_text(body.title, TITLE) or body.title == "" then
        return nil, ("title: 1 to %d characters"):format(TITLE)
    elseif body.text ~= nil and not is_text(body.text, TEXT) then
        return nil, ("text: at most %d characters"):format(TEXT)
    end
    return { id = body.id, title = body.title, text = body.text or "" }
end

---@param sender string
---@param user string
---@param id string
local function key_of(sender, user, id)
    return ("%s/%s/%s"):format(sender, user, id)
end

--- Sends it, and answers what is known of it: sent and read, in seconds since
--- 1970. Sent again, within five minutes or so it is not published again, and
--- later devices know it by its id: either way a user sees it once. Waits.
---@param sender string
---@param user string
---@param note { id: string, title: string, text: string }
---@return table? status
---@return tw.Error? err
function M.send(sender, user, note)
    local key = key_of(sender, user, note.id)
    local status = { at = tw.now() }
    local ok, err = statuses:add(key, status, M.KEPT)
    if not ok and err.code == "exists" then
        status, err = statuses:get(key)
    end
    if not status or (not ok and err) then
        return nil, err or tw.error("overloaded", "try again")
    end
    local at
    at, err = tw.user(user):send({
        type = "note",
        stream = M.STREAM,
        id = sender .. "/" .. note.id,
        from = sender,
        title = note.title,
        text = note.text,
        at = status.at,
        read = status.read,
    }, { id = key, wait = true })
    if not at then
        return nil, err
    end
    return status
end

--- What became of it; nil without an error: nothing is known of it (any more).
---@param sender string
---@param user string
---@param id string
---@return table? status
---@return tw.Error? err
function M.status(sender, user, id)
    return statuses:get(key_of(sender, user, id))
end

-- True for who is the first to say so.
---@param key string
---@param at number
---@return boolean
local function mark(key, at)
    local is_first = false
    statuses:update(key, function(status)
        is_first = status ~= nil and status.read == nil
        if not is_first then
            return nil, tw.error "exists"
        end
        status.read = at
        return status
    end)
    return is_first
end

--- A device of the user says that these were read.
---@param user string
---@param ids any what it sent
---@return string[]? ids that are some
---@return table<string, string[]>? read by sender, the ids of what was unread
function M.mark(user, ids)
    if type(ids) ~= "table" or #ids == 0 or #ids > 100 then
        return nil
    end
    local all, read, at = {}, {}, tw.now()
    for _, full in ipairs(ids) do
        local sender, id = tostring(full):match "^([^/]+)/([^/]+)$"
        if is_name(sender) and is_name(id) then
            all[#all + 1] = full
            if mark(key_of(sender, user, id), at) then
                read[sender] = read[sender] or {}
                table.insert(read[sender], id)
            end
        end
    end
    return all, read
end

return M
