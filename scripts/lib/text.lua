-- text.lua - cleans and limits what strangers typed.
--
-- Nothing here escapes HTML: text stays text, and the page shows it with
-- textContent. What is removed is what would harm even then: control
-- characters, and characters that draw nothing but turn the direction of
-- their neighbours or make two names look the same.
--
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"

local M = {}

-- UTF-8 is written out in bytes because Lua patterns know bytes only.
local BLANKS = {
    "[%c\127]",
    "\194[\128-\160]", -- U+0080-009F controls, U+00A0 no-break space
    "\226\128[\128-\138\168\169\175]", -- U+2000-200A, 2028, 2029, 202F
    "\226\129\159", -- U+205F
    "\226\160\128", -- U+2800, the empty Braille cell
    "\227\128\128", -- U+3000
    "\227\133\164", -- U+3164, the Hangul filler
}
local INVISIBLE = {
    "\194\173", -- U+00AD, the soft hyphen
    "\226\128[\139-\143\170-\174]", -- U+200B-200F, U+202A-202E
    "\226\129[\160-\175]", -- U+2060-206F
    "\239\187\191", -- U+FEFF
    "\243\160[\128-\191][\128-\191]", -- U+E0000-E0FFF, tags
}

---@param s string
---@param patterns string[]
---@param with string
---@return string
local function replace(s, patterns, with)
    for i = 1, #patterns do
        s = s:gsub(patterns[i], with)
    end
    return s
end

---@param s string
---@return string
local function trim(s)
    return (s:gsub("^%s+", ""):gsub("%s+$", ""))
end

--- A name on one line, at most `max` characters; longer ones are cut.
---@param s any what the client sent
---@param max integer
---@return string? name nil when nothing visible is left
function M.name(s, max)
    if type(s) ~= "string" then
        return nil
    end
    s = replace(replace(s, BLANKS, " "), INVISIBLE, "")
    s = trim(s:gsub(" +", " "))
    -- Counted in characters: a cut in bytes could end inside one.
    s = trim(tw.utf8.sub(s, 1, max))
    return s ~= "" and s or nil
end

--- A name that can be part of a channel's name: lower case, words joined by
--- hyphens, no ASCII punctuation. That leaves out braces, with which a client
--- could choose the worker that its channel lives on.
---@param s any what the client sent
---@param max integer
---@return string? slug nil when nothing is left
function M.slug(s, max)
    local name = M.name(s, max)
    if not name then
        return nil
    end
    name = name:lower():gsub("[^%w\128-\255]+", "-"):gsub("^%-", ""):gsub("%-$", "")
    return name ~= "" and name or nil
end

--- The text of a message: lines are kept, other control characters are not.
---@param s any what the client sent
---@param max integer in characters; longer texts are refused, not cut
---@return string? text
---@return "empty"|"too_long"|nil problem
function M.body(s, max)
    if type(s) ~= "string" then
        return nil, "empty"
    end
    s = s:gsub("\r\n?", "\n"):gsub("[%z\1-\8\11-\31\127]", ""):gsub("\n\n\n+", "\n\n")
    s = trim(s)
    if s == "" then
        return nil, "empty"
    end
    if tw.utf8.len(s) > max then
        return nil, "too_long"
    end
    return s
end

return M
