-- SPDX-License-Identifier: MIT
local t = require "tidewire.test"

local FILES = { "/proc/stat", "/proc/meminfo", "/proc/net/dev", "/proc/loadavg", "/proc/uptime" }

-- The figures that have come, by their kind.
local function figures_of(viewer)
    local shown = {}
    for frame in viewer.receive, viewer do
        for kind, value in pairs(frame) do
            shown[kind] = value
        end
    end
    return shown
end

t.describe("the dashboard", function()
    local s
    t.before_each(function()
        s = t.server("dashboard.lua", { files = FILES })
    end)

    t.it("greets, and has nothing to show before the second reading", function()
        local viewer = s:connect()
        viewer:expect { type = "hello", interval = 1, generation = 1 }
        s:advance(1)
        viewer:expect_none()
        s:advance(1.1) -- what is published is gathered for a moment
        t.contains(figures_of(viewer), { cpu = t.any, memory = t.any, network = t.any, server = t.any })
    end)

    t.it("counts what the whole server does", function()
        local viewer = s:connect { worker = 0 }
        s:connect { worker = 1 }
        s:advance(3)
        local shown = figures_of(viewer).server
        t.contains(shown, {
            connections = 2,
            workers = { { slot = 0, connections = 1 }, { slot = 1, connections = 1 } },
        })
    end)

    t.it("shows all figures at once to who comes later, in any worker", function()
        s:advance(8)
        for worker = 0, 1 do
            local viewer = s:connect { worker = worker }
            t.contains(figures_of(viewer), { load = t.any, uptime = t.any, cpu = t.any, server = t.any })
        end
    end)

    t.it("goes on at once after a reload: the last reading went along", function()
        local viewer = s:connect()
        s:advance(3)
        viewer:skip()
        s:reload()
        s:advance(1)
        t.contains(figures_of(viewer), { cpu = t.any, generation = 2 })
    end)

    t.it("leaves out what it may not read, and says so once", function()
        s = t.server("dashboard.lua", { files = { "/proc/stat" } })
        local viewer = s:connect()
        s:advance(5)
        local shown = figures_of(viewer)
        t.contains(shown, { cpu = t.any })
        t.equal(shown.memory, nil)
        local told = 0
        for _, line in ipairs(s:logs()) do
            told = told + (line.fields.path == "/proc/meminfo" and 1 or 0)
        end
        t.equal(told, 1)
    end)

    t.it("closes who talks too much", function()
        local viewer = s:connect()
        viewer:skip()
        for _ = 1, 5 do
            viewer:send "hello?"
        end
        t.equal(viewer:is_open(), true)
        viewer:send "hello?"
        viewer:expect_close(1008)
    end)
end)
