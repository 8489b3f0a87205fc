-- rooms.lua - which rooms there are, and how many people are in each.
--
-- Workers share no variables. How many are in a room is therefore asked of
-- the hub, which knows who is in the room's channel on all workers, and never
-- added up here: such a sum would go wrong at the first reload or crash. What
-- a worker keeps are the names of the rooms that its own people entered. Every
-- few seconds it tells the directory channel about them, and the pages merge
-- what they hear from all workers.
--
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"

local M = {}

--- The channel that every chat connection listens to.
M.DIRECTORY = "chat:rooms"

local PREFIX = "chat:room:"

-- Rooms that are listed even when nobody is in them.
local ALWAYS = { lobby = true, help = true, random = true }

local MAX_KNOWN = 100 -- a room beyond that works, but is not listed
local SETTLE = 0.25 -- seconds: a crowd that enters at once is counted once
local SWEEP = 5 -- seconds; the page forgets a room after three of them

local counts = {} -- name -> people when last counted
local known = 0 -- how many names
local changed = {} -- names to count when things have settled
local settling = false

for name in pairs(ALWAYS) do
    counts[name] = 0
    known = known + 1
end

---@class rooms.entry
---@field name string
---@field count integer people in it
---@field always boolean? listed also when nobody is in it

---@param name string
---@param people integer
---@return rooms.entry
local function entry(name, people)
    return { name = name, count = people, always = ALWAYS[name] }
end

---@param name string
---@return string channel
function M.channel(name)
    return PREFIX .. name
end

---@param channel string one that M.channel returned
---@return string name
function M.name(channel)
    return channel:sub(#PREFIX + 1)
end

--- Remembers that the room exists. Cheap: called for every message, which
--- also brings back what a reload or a full list has made us forget.
---@param name string
function M.know(name)
    if not counts[name] and known < MAX_KNOWN then
        counts[name] = 0
        known = known + 1
    end
end

---@param name string
local function forget(name)
    if counts[name] and not ALWAYS[name] then
        counts[name] = nil
        known = known - 1
    end
end

--- Asks the hub. Waits.
---@param name string
---@return integer? people
local function count(name)
    local here, err = tw.channel(M.channel(name)):presence { limit = 1 }
    if not here then
        tw.log.debug("room not counted", { room = name, error = tostring(err) })
        return nil
    end
    -- Who has gone still counts for a few seconds, in which coming back is no
    -- event. A room without any connection is empty at once.
    local people = here.connections > 0 and here.count or 0
    if people == 0 then
        forget(name)
    end
    if counts[name] then
        counts[name] = people
    end
    return people
end

local function settle()
    settling = false
    local names = changed
    changed = {} -- who enters while we wait below starts a new round
    for name in pairs(names) do
        local people = count(name)
        if people then
            local list = { entry(name, people) }
            tw.publish(M.DIRECTORY, { type = "rooms", rooms = list }, { key = "room:" .. name })
        end
    end
end

--- Somebody entered or left: count the room again, a moment later.
---@param name string
function M.touch(name)
    M.know(name)
    changed[name] = true
    if not settling then
        settling = true
        tw.after(SETTLE, settle)
    end
end

--- What this worker knows, for a page that has just connected.
---@return rooms.entry[]
function M.list()
    local list = {}
    for name, people in pairs(counts) do
        list[#list + 1] = entry(name, people)
    end
    return list
end

--- Counts every known room and tells the directory. This also repairs what no
--- hook could tell: people whose worker died have left without on_close. Waits.
function M.sweep()
    local names = {}
    for name in pairs(counts) do
        names[#names + 1] = name
    end
    local list = {}
    for i = 1, #names do
        local name = names[i]
        local people = count(name)
        -- One worker speaks for the rooms that all of them know.
        if people and (tw.worker == 0 or not ALWAYS[name]) and (people > 0 or ALWAYS[name]) then
            list[#list + 1] = entry(name, people)
        end
    end
    if #list > 0 then
        -- Keyed: of a page that cannot keep up, each worker replaces its own
        -- last list and leaves those of the others alone.
        tw.publish(M.DIRECTORY, { type = "rooms", rooms = list }, { key = "worker:" .. tw.worker })
    end
end

--- The names go over a reload; the numbers are counted again.
---@return string[]
function M.save()
    local names = {}
    for name in pairs(counts) do
        names[#names + 1] = name
    end
    return names
end

---@param names string[]
function M.restore(names)
    for i = 1, #names do
        M.know(names[i])
    end
end

-- Belongs to this generation and starts when it takes over. The jitter keeps
-- the workers from sweeping all in the same moment.
tw.every(SWEEP, M.sweep, { jitter = 1 })

return M
