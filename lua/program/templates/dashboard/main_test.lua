-- Tests of @NAME@: run them with `tidewire test main_test.lua`.
local t = require "tidewire.test"

t.describe("the dashboard", function()
    local s
    t.before_each(function()
        s = t.server("main.lua", { files = { "/proc/loadavg" } })
    end)

    t.it("shows a viewer the newest figures, then each as it is measured", function()
        s:advance(3)
        local viewer = s:connect "/figures"
        local shown = {}
        for frame in viewer.receive, viewer do
            shown[frame.name] = frame.value
        end
        t.contains(shown, { load = t.any, connections = 0 })

        s:advance(1)
        viewer:expect { name = "load" }
        viewer:expect { name = "connections", value = 1 }
        viewer:expect_none()
    end)

    t.it("measures once, however many watch", function()
        local viewers = {}
        for i = 1, 5 do
            viewers[i] = s:connect "/figures"
            viewers[i]:skip()
        end
        s:advance(1)
        for _, viewer in ipairs(viewers) do
            t.equal(viewer:skip(), 2)
        end
    end)

    t.it("goes on after a reload, in the same beat", function()
        local viewer = s:connect "/figures"
        s:advance(1.5)
        viewer:skip()
        s:reload()
        s:advance(0.5)
        t.equal(viewer:skip(), 2)
    end)
end)
