-- drawing.lua - what a page may have sent: anything. What is a drawing is taken
-- over field by field, and nothing of what is put in besides.
--
-- SPDX-License-Identifier: MIT
local M = {}

local WIDTH, HEIGHT = 16000, 10000 -- units, on every screen
local POINTS = 1000 -- of a stroke
local COLORS = 8
local WIDEST = 400

---@param value any
---@param low integer
---@param high integer
---@return boolean
local function is_whole(value, low, high)
    return type(value) == "number" and value >= low and value <= high and value % 1 == 0
end

---@param value any
---@return boolean
function M.is_color(value)
    return is_whole(value, 1, COLORS)
end

--- The number of a stroke, or 0.
---@param value any
---@return boolean
function M.is_number(value)
    return is_whole(value, 0, 2 ^ 53 - 1)
end

---@param x any
---@param y any
---@return boolean
function M.is_point(x, y)
    return is_whole(x, 0, WIDTH) and is_whole(y, 0, HEIGHT)
end

---@param points any
---@return boolean
local function are_points(points)
    if type(points) ~= "table" or #points < 2 or #points > 2 * POINTS or #points % 2 ~= 0 then
        return false
    end
    for i = 1, #points, 2 do
        if not M.is_point(points[i], points[i + 1]) then
            return false
        end
    end
    return true
end

--- Where a page was, for conn:subscribe; nil when that is no place.
---@param value any
---@return tw.Position?
function M.place(value)
    local is_place = type(value) == "table"
        and type(value.epoch) == "string" and #value.epoch <= 16
        and M.is_number(value.offset)
    return is_place and { epoch = value.epoch, offset = value.offset } or nil
end

--- A stroke, or a piece of one, as it goes to others.
---@param kind "stroke"|"piece"
---@param by string who drew it
---@param message table
---@return table? drawing nil when it is none
function M.read(kind, by, message)
    local is_one = type(message.id) == "string" and message.id:find "^%w+$" and #message.id <= 24
        and M.is_color(message.color)
        and is_whole(message.width, 1, WIDEST)
        and are_points(message.points)
    return is_one and {
        type = kind,
        by = by,
        id = message.id,
        color = message.color,
        width = message.width,
        points = message.points,
    } or nil
end

return M
