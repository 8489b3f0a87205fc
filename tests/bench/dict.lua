-- The other end of dict.mjs: nanoseconds of a call from Lua.
--
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"

local dict = tw.dict("bench", { bytes = 8 * 1024 * 1024 })
local CALLS, ROUNDS = 10000, 51

local keys = {}
for i = 1, 256 do
    keys[i] = "user:" .. i
end

-- What a call into C that does next to nothing costs is the measure of the rest.
local measure = { rate = 1e6, burst = 1e9 }
local cases = {
    clock = function() tw.clock() end,
    get = function() return dict:get("text") end,
    get_keys = function(i) return dict:get(keys[i % 256 + 1]) end,
    set = function() return dict:set("text", "twenty bytes of text") end,
    incr = function() return dict:incr("count") end,
    incr_keys = function(i) return dict:incr(keys[i % 256 + 1]) end,
    limit = function() return tw.limit("key", measure) end,
}

local function round(case)
    local begin = tw.clock()
    for i = 1, CALLS do
        case(i)
    end
    return (tw.clock() - begin) / CALLS * 1e9
end

local function median(name)
    local took = {}
    for i = 1, ROUNDS do
        took[i] = round(cases[name])
        tw.sleep(0) -- a turn, so that a worker does not seem to hang
    end
    table.sort(took)
    return took[(ROUNDS + 1) / 2]
end

return tw.routes {
    ["GET /worker"] = function()
        return 200, { worker = tw.worker }
    end,
    ["GET /run/:case"] = function(req)
        dict:set("text", "twenty bytes of text")
        for _, key in ipairs(keys) do
            dict:add(key, 0)
        end
        return 200, { ns = median(req.params.case) }
    end,
}
