-- Keeps many objects alive while messages come, for pauses.c.
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"

local OBJECTS = tw.config.get("objects", 1000)
local BYTES = tw.config.get("bytes", 16)
local EACH = tw.config.get("shape", "one") == "one" and OBJECTS or 1000

local kept, turn, serial = {}, 0, 0

local function keep(i, object)
    local group = math.floor(i / EACH) + 1
    kept[group] = kept[group] or {}
    serial = serial + 1
    object.name = ("%08d"):format(serial):rep(BYTES / 8)
    kept[group][i % EACH + 1] = object
end

for i = 0, OBJECTS - 1 do
    keep(i, {})
end

-- A weak value to which nothing else refers lives until a cycle of the
-- collector ends. It is made and looked for so that no stack slot refers to it.
local sign, cycles = setmetatable({}, { __mode = "v" }), 0

local function plant()
    sign[1] = {}
end

return tw.routes {
    ["/keep"] = tw.app {
        on_message = function(conn, msg)
            turn = (turn + 1) % OBJECTS
            keep(turn, msg:json())
            if #sign == 0 then
                plant()
                cycles = cycles + 1
            end
            conn:send(("%02d"):format(cycles))
        end,
    },
}
