-- match.lua - what is expected against what came, and how that is told.
-- SPDX-License-Identifier: MIT
local json = require("tidewire").json

local M = {}

--------------------------------------------------------------------------------
-- Matchers
--------------------------------------------------------------------------------

local matchers = {} -- by the table that stands for one

M.any = setmetatable({}, { __metatable = "tidewire.test", __tostring = function() return "anything" end })
matchers[M.any] = function(value)
    return value ~= nil and value ~= json.null
end

---@param pattern string
---@return table
function M.pattern(pattern)
    if type(pattern) ~= "string" then
        error("t.match: the pattern must be a string", 2)
    end
    local matcher = setmetatable({}, {
        __metatable = "tidewire.test",
        __tostring = function()
            return ("text that matches %q"):format(pattern)
        end,
    })
    matchers[matcher] = function(value)
        return type(value) == "string" and value:find(pattern) ~= nil
    end
    return matcher
end

--------------------------------------------------------------------------------
-- Showing
--------------------------------------------------------------------------------

local LONGEST = 400

local function sorted_keys(value)
    local keys = {}
    for key in pairs(value) do
        keys[#keys + 1] = key
    end
    table.sort(keys, function(a, b)
        return tostring(a) < tostring(b)
    end)
    return keys
end

local function show(value, depth)
    if type(value) == "string" then
        return ("%q"):format(value):gsub("\\\n", "\\n")
    elseif matchers[value] or type(value) ~= "table" then
        return value == json.null and "null" or tostring(value)
    elseif depth > 6 then
        return "{...}"
    end
    local parts = {}
    local count = #value
    for i = 1, count do
        parts[i] = show(value[i], depth + 1)
    end
    for _, key in ipairs(sorted_keys(value)) do
        local is_index = type(key) == "number" and key >= 1 and key <= count and key % 1 == 0
        if not is_index then
            local is_word = type(key) == "string" and key:find "^[%a_][%w_]*$"
            local name = is_word and key or "[" .. show(key, depth + 1) .. "]"
            parts[#parts + 1] = name .. " = " .. show(value[key], depth + 1)
        end
    end
    return #parts == 0 and "{}" or "{ " .. table.concat(parts, ", ") .. " }"
end

--- One line, and not too long a one.
---@param value any
---@return string
function M.show(value)
    local text = show(value, 0)
    return #text > LONGEST and text:sub(1, LONGEST) .. " ..." or text
end

--------------------------------------------------------------------------------
-- Comparing
--------------------------------------------------------------------------------

local function same(a, b)
    return a == b or (a == json.null and b == nil) or (a == nil and b == json.null)
end

local function add(differences, path, expected, value)
    differences[#differences + 1] = { path = path, expected = expected, value = value }
end

local function step(path, key)
    if type(key) == "string" and key:find "^[%a_][%w_]*$" then
        return path == "" and key or path .. "." .. key
    end
    return path .. "[" .. M.show(key) .. "]"
end

local compare

local function compare_tables(value, expected, path, exactly, differences)
    local has_length = exactly or #expected > 0
    if has_length and #value ~= #expected and (#expected > 0 or #value > 0) then
        add(differences, path .. " (length)", #expected, #value)
    end
    for _, key in ipairs(sorted_keys(expected)) do
        compare(value[key], expected[key], step(path, key), exactly, differences)
    end
    for _, key in ipairs(exactly and sorted_keys(value) or {}) do
        if expected[key] == nil and value[key] ~= json.null then
            add(differences, step(path, key), nil, value[key])
        end
    end
end

function compare(value, expected, path, exactly, differences)
    local matcher = matchers[expected]
    if matcher or (type(expected) == "function" and not exactly) then
        if not (matcher or expected)(value) then
            add(differences, path, expected, value)
        end
    elseif type(expected) == "table" and type(value) == "table" and value ~= json.null and expected ~= json.null then
        compare_tables(value, expected, path, exactly, differences)
    elseif not same(value, expected) then
        add(differences, path, expected, value)
    end
end

--- What is different, as a list of { path, expected, value }; empty: nothing is.
---@param value any
---@param expected any
---@return { path: string, expected: any, value: any }[]
function M.contains(value, expected)
    local differences = {}
    if type(expected) == "string" and type(value) == "string" then
        if not value:find(expected, 1, true) then
            add(differences, "", expected, value)
        end
    else
        compare(value, expected, "", false, differences)
    end
    return differences
end

---@param value any
---@param expected any
---@return { path: string, expected: any, value: any }[]
function M.equal(value, expected)
    local differences = {}
    compare(value, expected, "", true, differences)
    return differences
end

local MOST_TOLD = 8

--- The differences as lines.
---@param differences table[]
---@return string
function M.tell(differences)
    local lines = {}
    for i, one in ipairs(differences) do
        if i > MOST_TOLD then
            lines[i] = ("    and %d more"):format(#differences - MOST_TOLD)
            break
        end
        local path = one.path == "" and "" or one.path .. ": "
        lines[i] = ("    %sexpected %s, got %s"):format(path, M.show(one.expected), M.show(one.value))
    end
    return table.concat(lines, "\n")
end

--------------------------------------------------------------------------------
-- Asserting
--------------------------------------------------------------------------------

---@param message string
function M.fail(message)
    error(tostring(message), 2)
end

local function check(differences, what, value, expected)
    if #differences > 0 then
        local text = "%s\n  expected: %s\n  got:      %s\n%s"
        error(text:format(what, M.show(expected), M.show(value), M.tell(differences)), 3)
    end
end

---@param value any
---@param expected any
function M.assert_equal(value, expected)
    check(M.equal(value, expected), "not the same", value, expected)
end

---@param value any
---@param expected any
function M.assert_contains(value, expected)
    check(M.contains(value, expected), "does not contain it", value, expected)
end

---@param fn fun()
---@param text string?
---@return string
function M.assert_raises(fn, text)
    if type(fn) ~= "function" then
        error("t.raises takes a function", 2)
    end
    local ok, raised = pcall(fn)
    if ok then
        error("nothing was raised", 2)
    end
    local message = tostring(raised)
    if text and not message:find(text, 1, true) then
        error(("raised %s, not %s"):format(M.show(message), M.show(text)), 2)
    end
    return message
end

return M
