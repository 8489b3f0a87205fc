-- task_spec.lua - tw.all and task:wait above the bridge's raw wait.
-- SPDX-License-Identifier: MIT
package.path = "lua/?.lua;" .. package.path

local define = require "tidewire.task"

-- A bridge whose tasks have ended before anybody waits: a task is a table with
-- what the raw wait gives for it.
local function bridge()
    local spawned, cancelled = {}, {}
    local function spawn(fn)
        local task = { outcome = { fn() } }
        function task:cancel()
            cancelled[#cancelled + 1] = self
        end
        spawned[#spawned + 1] = task
        return task
    end
    local function wait(task)
        return unpack(task.outcome, 1, 3)
    end
    local all, task_wait = define(spawn, wait)
    return { all = all, wait = task_wait, spawned = spawned, cancelled = cancelled }
end

local function gives(...)
    local values = { ... }
    return function()
        return unpack(values, 1, 3)
    end
end

describe("task:wait", function()
    it("returns what the task returned", function()
        local b = bridge()
        local x, y = b.wait { outcome = { true, "a", "b" } }
        assert.are.equal("a", x)
        assert.are.equal("b", y)
    end)

    it("raises what the task raised, as it is", function()
        local b = bridge()
        local ok, why = pcall(b.wait, { outcome = { false, "app.lua:3: broken" } })
        assert.is_false(ok)
        assert.are.equal("app.lua:3: broken", why)
    end)

    it("gives nil and the error of a wait that failed", function()
        local b = bridge()
        local err = { code = "timeout" }
        local value, why = b.wait { outcome = { nil, err } }
        assert.is_nil(value)
        assert.are.equal(err, why)
    end)
end)

describe("tw.all", function()
    it("gives the first result of each, in order", function()
        local b = bridge()
        local x, y, z = b.all(gives(true, "a", "not this"), gives(true, nil), gives(true, "c"))
        assert.are.equal("a", x)
        assert.is_nil(y)
        assert.are.equal("c", z)
        assert.are.equal(0, #b.cancelled)
    end)

    it("cancels the others and raises when one fails", function()
        local b = bridge()
        local ok, why = pcall(b.all, gives(true, "a"), gives(false, "broken"), gives(true, "c"))
        assert.is_false(ok)
        assert.are.equal("broken", why)
        assert.are.equal(b.spawned[3], b.cancelled[#b.cancelled])
    end)

    it("raises what a later one raised, though an earlier one was waited for", function()
        local b = bridge()
        local err = { code = "closed" }
        local broken = function()
            error("broken", 0)
        end
        -- As the bridge has it: the first was cancelled by the second's failure.
        local all = define(function(fn)
            local task = { cancel = function() end }
            task.outcome = { pcall(fn) }
            b.spawned[#b.spawned + 1] = task
            return task
        end, function(task)
            return unpack(task == b.spawned[1] and { nil, err } or task.outcome, 1, 2)
        end)
        local ok, why = pcall(all, gives("a"), broken)
        assert.is_false(ok)
        assert.are.equal("broken", why)
    end)

    it("cancels all that are left when the hook's time is over", function()
        local b = bridge()
        local err = { code = "timeout" }
        local value, why = b.all(gives(nil, err), gives(true, "b"))
        assert.is_nil(value)
        assert.are.equal(err, why)
        assert.are.equal(2, #b.cancelled)
    end)

    it("takes functions only, and starts none otherwise", function()
        local b = bridge()
        local ok, why = pcall(b.all, gives(true), 3)
        assert.is_false(ok)
        assert.is_truthy(why:find("tw.all: argument 2 must be a function", 1, true))
        assert.are.equal(0, #b.spawned)
    end)

    it("of nothing gives nothing", function()
        local b = bridge()
        assert.are.equal(0, select("#", b.all()))
    end)
end)
