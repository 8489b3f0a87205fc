-- redis.lua - a small Redis in memory, for s:stub_redis().
--
-- Strings, hashes, lists and sets with expiry by the server's clock; what is
-- used most, no more.
--
-- SPDX-License-Identifier: MIT
local M = {}

local WRONG_KIND = "WRONGTYPE Operation against a key holding the wrong kind of value"
local NOT_INTEGER = "ERR value is not an integer or out of range"
local SYNTAX = "ERR syntax error"

local function sorted(set)
    local list = {}
    for key in pairs(set) do
        list[#list + 1] = key
    end
    table.sort(list)
    return list
end

local function whole(text)
    local number = tonumber(text)
    return number and number % 1 == 0 and number or nil
end

-- First and last place of a range as Redis counts.
local function range(first, last, count)
    first, last = whole(first), whole(last)
    if not first or not last then
        return nil
    end
    first = first < 0 and math.max(count + first, 0) or first
    last = last < 0 and count + last or math.min(last, count - 1)
    return first + 1, last + 1
end

local function glob(pattern)
    local lua = pattern:gsub("[%^%$%(%)%%%.%+%-]", "%%%0"):gsub("%*", ".*"):gsub("%?", ".")
    return "^" .. lua .. "$"
end

---@param clock fun(): number seconds
---@return fun(command: string, ...: string): any, string?
function M.new(clock)
    local entries = {} -- { kind =, value =, expires = }
    local commands = {}

    local function find(key, kind)
        local entry = entries[key]
        if entry and entry.expires and entry.expires <= clock() then
            entries[key], entry = nil, nil
        end
        if entry and kind and entry.kind ~= kind then
            error { redis = WRONG_KIND }
        end
        return entry
    end

    local function make(key, kind)
        local entry = find(key, kind)
        if not entry then
            entry = { kind = kind, value = kind == "string" and "" or {} }
            entries[key] = entry
        end
        return entry
    end

    local function drop_empty(key)
        local entry = entries[key]
        if entry and type(entry.value) == "table" and next(entry.value) == nil then
            entries[key] = nil
        end
    end

    local function need(value, message)
        if not value then
            error { redis = message or SYNTAX }
        end
        return value
    end

    local function count_each(keys, fn)
        local count = 0
        for _, key in ipairs(keys) do
            count = count + (fn(key) and 1 or 0)
        end
        return count
    end

    ---- keys

    function commands.PING(text)
        return text or "PONG"
    end

    function commands.DEL(...)
        return count_each({ ... }, function(key)
            local is_there = find(key) ~= nil
            entries[key] = nil
            return is_there
        end)
    end
    commands.UNLINK = commands.DEL

    function commands.EXISTS(...)
        return count_each({ ... }, find)
    end

    function commands.TYPE(key)
        local entry = find(key)
        return entry and entry.kind or "none"
    end

    function commands.KEYS(pattern)
        local list = {}
        for _, key in ipairs(sorted(entries)) do
            if find(key) and key:find(glob(pattern)) then
                list[#list + 1] = key
            end
        end
        return list
    end

    function commands.FLUSHDB()
        entries = {}
        return true
    end
    commands.FLUSHALL = commands.FLUSHDB

    function commands.PUBLISH()
        return 0
    end

    local function expire(key, seconds)
        local entry = find(key)
        if entry then
            entry.expires = clock() + seconds
        end
        return entry and 1 or 0
    end

    function commands.EXPIRE(key, seconds)
        return expire(key, need(whole(seconds), NOT_INTEGER))
    end

    function commands.PEXPIRE(key, ms)
        return expire(key, need(whole(ms), NOT_INTEGER) / 1000)
    end

    function commands.PERSIST(key)
        local entry = find(key)
        local had = entry and entry.expires
        if had then
            entry.expires = nil
        end
        return had and 1 or 0
    end

    local function left(key, unit)
        local entry = find(key)
        if not entry then
            return -2
        end
        return entry.expires and math.ceil((entry.expires - clock()) * unit - 1e-6) or -1
    end

    function commands.TTL(key)
        return left(key, 1)
    end

    function commands.PTTL(key)
        return left(key, 1000)
    end

    ---- strings

    function commands.GET(key)
        local entry = find(key, "string")
        return entry and entry.value
    end

    local function set(key, value, seconds)
        entries[key] = { kind = "string", value = value, expires = seconds and clock() + seconds }
        return true
    end

    function commands.SET(key, value, ...)
        need(value)
        local words, seconds, i = { ... }, nil, 1
        local kept = find(key)
        while words[i] do
            local word = words[i]:upper()
            if word == "EX" or word == "PX" then
                seconds = need(whole(words[i + 1]), NOT_INTEGER) / (word == "EX" and 1 or 1000)
                i = i + 1
            elseif (word == "NX" and kept) or (word == "XX" and not kept) then
                return nil
            elseif word == "KEEPTTL" then
                seconds = kept and kept.expires and kept.expires - clock()
            else
                need(word == "NX" or word == "XX")
            end
            i = i + 1
        end
        return set(key, value, seconds)
    end

    function commands.SETEX(key, seconds, value)
        return set(key, need(value), need(whole(seconds), NOT_INTEGER))
    end

    function commands.SETNX(key, value)
        return find(key) and 0 or set(key, need(value)) and 1
    end

    function commands.GETDEL(key)
        local value = commands.GET(key)
        entries[key] = nil
        return value
    end

    function commands.MGET(...)
        local values = { n = select("#", ...) }
        for i, key in ipairs { ... } do
            local entry = find(key)
            values[i] = entry and entry.kind == "string" and entry.value or nil
        end
        return values
    end

    function commands.MSET(...)
        local words = { ... }
        need(#words % 2 == 0)
        for i = 1, #words, 2 do
            set(words[i], words[i + 1])
        end
        return true
    end

    function commands.APPEND(key, text)
        local entry = make(key, "string")
        entry.value = entry.value .. text
        return #entry.value
    end

    local function add(key, by)
        local entry = make(key, "string")
        local sum = need(whole(entry.value == "" and "0" or entry.value), NOT_INTEGER) + by
        entry.value = ("%d"):format(sum)
        return sum
    end

    function commands.INCR(key)
        return add(key, 1)
    end

    function commands.DECR(key)
        return add(key, -1)
    end

    function commands.INCRBY(key, by)
        return add(key, need(whole(by), NOT_INTEGER))
    end

    function commands.DECRBY(key, by)
        return add(key, -need(whole(by), NOT_INTEGER))
    end

    ---- hashes

    function commands.HSET(key, ...)
        local words = { ... }
        need(#words > 0 and #words % 2 == 0)
        local hash, added = make(key, "hash").value, 0
        for i = 1, #words, 2 do
            added = added + (hash[words[i]] == nil and 1 or 0)
            hash[words[i]] = words[i + 1]
        end
        return added
    end

    function commands.HMSET(...)
        commands.HSET(...)
        return true
    end

    function commands.HGET(key, field)
        local entry = find(key, "hash")
        return entry and entry.value[field]
    end

    function commands.HMGET(key, ...)
        local entry, values = find(key, "hash"), { n = select("#", ...) }
        for i, field in ipairs { ... } do
            values[i] = entry and entry.value[field]
        end
        return values
    end

    function commands.HDEL(key, ...)
        local entry = find(key, "hash")
        local count = count_each({ ... }, function(field)
            local had = entry and entry.value[field] ~= nil
            if had then
                entry.value[field] = nil
            end
            return had
        end)
        drop_empty(key)
        return count
    end

    function commands.HGETALL(key)
        local entry, list = find(key, "hash"), {}
        for _, field in ipairs(sorted(entry and entry.value or {})) do
            list[#list + 1] = field
            list[#list + 1] = entry.value[field]
        end
        return list
    end

    function commands.HKEYS(key)
        local entry = find(key, "hash")
        return sorted(entry and entry.value or {})
    end

    function commands.HEXISTS(key, field)
        return commands.HGET(key, field) and 1 or 0
    end

    function commands.HLEN(key)
        local entry = find(key, "hash")
        return #sorted(entry and entry.value or {})
    end

    function commands.HINCRBY(key, field, by)
        local hash = make(key, "hash").value
        local sum = need(whole(hash[field] or "0"), NOT_INTEGER) + need(whole(by), NOT_INTEGER)
        hash[field] = ("%d"):format(sum)
        return sum
    end

    ---- lists

    local function push(key, at_front, words)
        local list = make(key, "list").value
        for _, word in ipairs(words) do
            table.insert(list, at_front and 1 or #list + 1, word)
        end
        return #list
    end

    function commands.LPUSH(key, ...)
        return push(key, true, { ... })
    end

    function commands.RPUSH(key, ...)
        return push(key, false, { ... })
    end

    local function pop(key, at_front)
        local entry = find(key, "list")
        local word = entry and table.remove(entry.value, at_front and 1 or #entry.value)
        drop_empty(key)
        return word
    end

    function commands.LPOP(key)
        return pop(key, true)
    end

    function commands.RPOP(key)
        return pop(key, false)
    end

    function commands.LLEN(key)
        local entry = find(key, "list")
        return entry and #entry.value or 0
    end

    function commands.LRANGE(key, from, to)
        local entry, list = find(key, "list"), {}
        local first, last = range(from, to, entry and #entry.value or 0)
        need(first, NOT_INTEGER)
        for i = first, last do
            list[#list + 1] = entry and entry.value[i]
        end
        return list
    end

    function commands.LTRIM(key, from, to)
        local kept = commands.LRANGE(key, from, to)
        if find(key, "list") then
            entries[key].value = kept
            drop_empty(key)
        end
        return true
    end

    ---- sets

    function commands.SADD(key, ...)
        local set_of = make(key, "set").value
        return count_each({ ... }, function(word)
            local is_new = not set_of[word]
            set_of[word] = true
            return is_new
        end)
    end

    function commands.SREM(key, ...)
        local entry = find(key, "set")
        local count = count_each({ ... }, function(word)
            local had = entry and entry.value[word]
            if had then
                entry.value[word] = nil
            end
            return had
        end)
        drop_empty(key)
        return count
    end

    function commands.SMEMBERS(key)
        local entry = find(key, "set")
        return sorted(entry and entry.value or {})
    end

    function commands.SISMEMBER(key, word)
        local entry = find(key, "set")
        return entry and entry.value[word] and 1 or 0
    end

    function commands.SCARD(key)
        return #commands.SMEMBERS(key)
    end

    return function(command, ...)
        local run = commands[command]
        if not run then
            return nil, ("ERR unknown command '%s' in the test's small Redis"):format(command)
        elseif select("#", ...) == 0 and command ~= "PING" and not command:find "^FLUSH" then
            return nil, ("ERR wrong number of arguments for '%s' command"):format(command:lower())
        end
        local ok, value = pcall(run, ...)
        if ok then
            return value
        elseif type(value) == "table" and value.redis then
            return nil, value.redis
        end
        error(value, 0)
    end
end

return M
