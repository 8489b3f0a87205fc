-- SPDX-License-Identifier: MIT
local t = require "tidewire.test"

t.describe("the demo", function()
    local s
    t.before_each(function()
        s = t.server("main.lua", { workers = 2 })
    end)

    t.it("has two applications and their pages", function()
        assert(s:connect "/chat/ws"):expect { type = "welcome" }
        assert(s:connect "/dashboard/ws"):expect { type = "hello" }
        local page = s:request "/"
        t.equal(page.status, 200)
        t.contains(page.headers, { ["content-type"] = t.match "^text/html" })
        t.contains(page.body, "<html")
        t.equal(s:request("/chat/").status, 200)
        t.equal(s:request("/nothing-like-that").status, 404)
    end)

    t.it("tells the pages of the chat of a reload, once", function()
        local c = s:connect "/chat/ws"
        c:skip()
        t.equal(s:reload(), 2)
        local told = 0
        for frame in c.receive, c do
            told = told + (frame.type == "reload" and 1 or 0)
        end
        t.equal(told, 1)
    end)
end)
