-- check.lua - may this be said? Redis and the moderation service are asked at
-- the same time, so it takes as long as the slower one.
--
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"

local M = {}

local WINDOW = 10 -- seconds
local settings = tw.config.get("guard", {})
local url = settings.moderation or "http://127.0.0.1:8091/check"
local most = settings.most or 20 -- messages of one person within WINDOW

--- "refuse" or "pass": what happens to what cannot be checked.
M.policy = {
    redis = settings.without_redis or "refuse",
    moderation = settings.without_moderation or "pass",
}

---@class verdict
---@field code string? why it must not be said: "banned", "too_fast", "moderated"
---@field text string? the same for people
---@field away boolean? whoever was asked did not say
---@field ms number how long it took

-- Among the results of a pipeline an error of Redis is an error object.
---@param results table?
---@param err tw.Error?
---@return tw.Error?
local function failure_of(results, err)
    for _, result in ipairs(results or {}) do
        if type(result) == "table" and result.code then
            return result
        end
    end
    return err
end

-- Bans and counts are those of all servers that use this Redis. Messages are
-- counted, also those that are refused: who goes on waits longer.
---@param user string
---@return verdict
local function ask_redis(user)
    local count = ("guard:count:%s:%d"):format(user, math.floor(tw.now() / WINDOW))
    local results, err = tw.redis("guard"):pipeline(function(p)
        p:call("SISMEMBER", "guard:banned", user)
        p:call("INCR", count)
        p:call("EXPIRE", count, 2 * WINDOW)
    end)
    err = failure_of(results, err)
    if err then
        tw.log.warn("not checked by Redis", { error = tostring(err) })
        return { away = true }
    elseif results[1] == 1 then
        return { code = "banned", text = "You are banned." }
    elseif results[2] > most then
        return { code = "too_fast", text = ("At most %d messages in %d s."):format(most, WINDOW) }
    end
    return {}
end

-- While the service fails, the breaker answers `unavailable` in its place, in no
-- time: then a message waits for Redis only.
---@param user string
---@param text string
---@return verdict
local function ask_moderation(user, text)
    local options = { timeout = settings.timeout or 2 }
    local res, err = tw.http.post(url, { user = user, text = text }, options)
    local said = res and res.status == 200 and res:json()
    if not said or type(said.allow) ~= "boolean" then
        local why = err and tostring(err) or ("status " .. res.status)
        tw.log.warn("not moderated", { error = why })
        return { away = true }
    elseif not said.allow then
        local why = type(said.why) == "string" and said.why or "That is not said here."
        return { code = "moderated", text = why }
    end
    return {}
end

-- What `ask` says, and how long it took to say it.
local function timed(ask, ...)
    local began = tw.clock()
    local verdict = ask(...)
    verdict.ms = (tw.clock() - began) * 1000
    return verdict
end

--- Asks both, and says what to do. Waits.
---@param user string
---@param text string
---@return { code: string, text: string }? refusal nil: it may be said
---@return { took: table<string, number>, unchecked: string[]? } how
function M.ask(user, text)
    local redis, moderation = tw.all(function()
        return timed(ask_redis, user)
    end, function()
        return timed(ask_moderation, user, text)
    end)
    local how = { took = { redis = redis.ms, moderation = moderation.ms } }
    local unchecked, must_pass = {}, true
    for _, one in ipairs { { "redis", redis }, { "moderation", moderation } } do
        local name, verdict = one[1], one[2]
        if verdict.code then
            return { code = verdict.code, text = verdict.text }, how
        elseif verdict.away then
            unchecked[#unchecked + 1] = name
            must_pass = must_pass and M.policy[name] == "pass"
        end
    end
    how.unchecked = unchecked[1] and unchecked
    if not must_pass then
        local why = "Nobody can check that now. Try again in a moment."
        return { code = "unavailable", text = why }, how
    end
    return nil, how
end

return M
