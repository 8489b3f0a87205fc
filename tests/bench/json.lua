-- The other end of json.mjs: tw.json and lua-cjson take turns.
--
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local tw = require "tidewire"

local ROUNDS = 51

local SMALL = '{"type":"say","room":"lobby","text":"hello world",'
    .. '"from":{"id":"u-1042","name":"Ada"},"ids":[1,2,3],"at":1700000.25,"urgent":true}'

local PLAYER = '{"id":%d,"name":"player %d","x":%.2f,"y":%.2f,"angle":%.3f,"hp":%d,'
    .. '"alive":%s,"items":["sword","map","key %d"]}'

-- The state of a game as a server sends it: many small records.
local function large()
    local players = {}
    for i = 1, 69 do
        local alive = tostring(i % 7 ~= 0)
        players[i] = PLAYER:format(i, i, i * 13.37, i * 7.25, i / 70, i % 100, alive, i)
    end
    return '{"tick":123456,"players":[' .. table.concat(players, ",") .. "]}"
end

local documents = { small = SMALL, large = large() }
local calls = { small = 4000, large = 80 }

local function round(count, fn, value)
    local begin = tw.clock()
    for _ = 1, count do
        fn(value)
    end
    return (tw.clock() - begin) / count * 1e9
end

local function median(list)
    table.sort(list)
    return list[(#list + 1) / 2]
end

local function compare(what, size)
    local text = documents[size]
    local ours, theirs = tw.json[what], cjson[what]
    local our_value = what == "decode" and text or tw.json.decode(text)
    local their_value = what == "decode" and text or cjson.decode(text)
    local our_times, their_times, ratios = {}, {}, {}
    for i = 0, ROUNDS do
        local mine = round(calls[size], ours, our_value)
        local other = round(calls[size], theirs, their_value)
        if i > 0 then -- the first one warms up
            our_times[i], their_times[i], ratios[i] = mine, other, mine / other
        end
        tw.sleep(0) -- a turn, so that the worker does not seem to hang
    end
    return { bytes = #text, ours = median(our_times), theirs = median(their_times), ratio = median(ratios) }
end

return tw.routes {
    ["GET /run/:what/:size"] = function(req)
        return 200, compare(req.params.what, req.params.size)
    end,
}
