-- main.lua - the library behind require "tidewire.test", put together.
--
-- Loaded by the bridge, which gives what the library stands on and takes what
-- runs the cases.
--
-- SPDX-License-Identifier: MIT
local match = require "tidewire.test.match"
local cases = require "tidewire.test.cases"
local server = require "tidewire.test.server"
local report = require "tidewire.test.report"

---@param native table functions over a simulated server
---@param options table what the command line said, and where the file is
---@return tidewire.test library
---@return table driver
return function(native, options)
    local reporter = report.new(options)
    local suite = cases.new(options, reporter)
    local make = server.new(native, options, suite)
    local t = {
        describe = suite.describe,
        it = suite.it,
        skip = suite.skip,
        before_each = suite.before_each,
        after_each = suite.after_each,
        server = make,
        equal = match.assert_equal,
        contains = match.assert_contains,
        raises = match.assert_raises,
        fail = match.fail,
        any = match.any,
        match = match.pattern,
    }
    local library = setmetatable({}, {
        __index = function(_, name)
            local value = t[name]
            if value == nil then
                error(('tidewire.test has no "%s"'):format(tostring(name)), 2)
            end
            return value
        end,
        __newindex = function()
            error("tidewire.test is read-only", 2)
        end,
        __metatable = "tidewire.test",
    })
    return library, suite.driver
end
