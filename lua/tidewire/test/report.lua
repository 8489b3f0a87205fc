-- report.lua - how it went, for people or in TAP.
-- SPDX-License-Identifier: MIT
local M = {}

local function indent(text, by)
    return by .. text:gsub("\n", "\n" .. by)
end

-- Where a case failed is in its message. What the library did on the way there
-- is of no interest to its reader.
local function clean_traceback(traceback)
    local lines = {}
    for line in (traceback or ""):gmatch "[^\n]+" do
        if not line:find("/tidewire/test/", 1, true) and not line:find "^stack traceback" and not line:find "%[C%]" then
            lines[#lines + 1] = line:gsub("^%s+", "")
        end
    end
    return lines
end

local REASONS = {
    time = "the case ran away: it used up its CPU time",
    memory = "the case ran out of memory",
}

local function describe(failure)
    local parts = {}
    parts[1] = REASONS[failure.kind]
    parts[#parts + 1] = failure.message
    local trace = clean_traceback(failure.traceback)
    -- A failed expectation says its place itself.
    local is_plain = failure.kind == "error" and #trace <= 1
    if #trace > 0 and not is_plain then
        parts[#parts + 1] = "called from:\n" .. indent(table.concat(trace, "\n"), "  ")
    end
    for _, text in ipairs(failure.told) do
        parts[#parts + 1] = text
    end
    return table.concat(parts, "\n")
end

--------------------------------------------------------------------------------
-- For people
--------------------------------------------------------------------------------

local COLOURS = { green = "\27[32m", red = "\27[31m", yellow = "\27[33m", off = "\27[0m" }

local function for_people(options)
    local print = options.print
    local function paint(colour, text)
        return options.colour and COLOURS[colour] .. text .. COLOURS.off or text
    end
    local has_title = false
    local function title()
        if not has_title then
            has_title = true
            print(options.file .. "\n")
        end
    end
    return {
        begin = function() end,
        passed = function(_, name)
            if not options.quiet then
                title()
                print(("  %s %s\n"):format(paint("green", "ok"), name))
            end
        end,
        skipped = function(_, name)
            title()
            print(("  %s %s\n"):format(paint("yellow", "skipped"), name))
        end,
        failed = function(_, name, failure)
            title()
            print(("  %s %s\n%s\n"):format(paint("red", "FAILED"), name, indent(describe(failure), "      ")))
        end,
    }
end

--------------------------------------------------------------------------------
-- TAP 14
--------------------------------------------------------------------------------

local function tap_name(name)
    return (name:gsub("[\n\r]", " "):gsub("\\", "\\\\"):gsub("#", "\\#"))
end

local function in_tap(options)
    local print = options.print
    local function number(i)
        return options.first + i - 1
    end
    return {
        begin = function()
            print(("# %s\n"):format(tap_name(options.file)))
        end,
        passed = function(i, name)
            print(("ok %d - %s\n"):format(number(i), tap_name(name)))
        end,
        skipped = function(i, name)
            print(("ok %d - %s # SKIP\n"):format(number(i), tap_name(name)))
        end,
        failed = function(i, name, failure)
            print(("not ok %d - %s\n  ---\n  message: |\n%s\n  ...\n"):format(
                number(i),
                tap_name(name),
                indent(describe(failure), "    ")
            ))
        end,
    }
end

---@param options table
---@return table
function M.new(options)
    return options.tap and in_tap(options) or for_people(options)
end

return M
