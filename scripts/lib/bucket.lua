-- bucket.lua - a token bucket: `rate` actions a second, `burst` at once.
--
-- A bucket is a plain table of two numbers. Kept in conn.state it lives as
-- long as its connection and goes with it through reloads, so a reload does
-- not give everybody a full bucket.
--
-- SPDX-License-Identifier: MIT
local M = {}

---@class bucket.limit
---@field rate number tokens a second
---@field burst number size of the bucket

---@class bucket
---@field tokens number
---@field at number clock of the last refill

--- A full bucket.
---@param limit bucket.limit
---@param now number tw.clock()
---@return bucket
function M.new(limit, now)
    return { tokens = limit.burst, at = now }
end

--- Takes one token.
---@param bucket bucket
---@param limit bucket.limit
---@param now number tw.clock()
---@return boolean taken
---@return number? seconds until there is a token again, when there was none
function M.take(bucket, limit, now)
    local tokens = bucket.tokens + (now - bucket.at) * limit.rate
    if tokens > limit.burst then
        tokens = limit.burst
    end
    bucket.at = now
    if tokens < 1 then
        bucket.tokens = tokens
        return false, (1 - tokens) / limit.rate
    end
    bucket.tokens = tokens - 1
    return true
end

return M
