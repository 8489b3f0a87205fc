-- SPDX-License-Identifier: MIT
local t = require "tidewire.test"

t.describe("the other end of the load generator", function()
    local s
    t.before_each(function()
        s = t.server "app.lua"
    end)

    t.it("sends back on /echo", function()
        local c = s:connect "/echo"
        c:send "x"
        c:expect "x"
        c:expect_none()
    end)

    t.it("publishes on /pub what /sub hears, in every worker", function()
        local near = s:connect { path = "/sub", worker = 0 }
        local far = s:connect { path = "/sub", worker = 1 }
        local other = s:connect "/sub?channel=other"
        local publisher = s:connect "/pub"
        publisher:send "news"
        near:expect "news"
        far:expect "news"
        other:expect_none()
        publisher:expect_none()
    end)

    t.it("does on /room both, and leaves the sender out", function()
        local a, b = s:connect "/room?channel=x,y", s:connect "/room?channel=x"
        local c = s:connect "/sub?channel=y"
        a:send "hello"
        b:expect "hello"
        a:expect_none()
        c:expect_none()
    end)

    t.it("gives slow readers what the class of their channel says", function()
        s = t.server("app.lua", { limits = { publication_budget = 4096 } })
        local function flood(channel)
            local reader = s:connect("/sub?channel=" .. channel)
            reader:pause()
            for i = 1, 60 do
                s:publish(channel, ("%02d"):format(i) .. ("x"):rep(1000))
            end
            reader:resume()
            return reader
        end
        local closed = flood "close:a"
        closed:skip()
        closed:expect_close(1013)
        local newest = flood "conflate:a"
        local last
        for frame in newest.receive, newest do
            last = frame
        end
        t.equal(last:sub(1, 2), "60")
        t.equal(newest:is_open(), true)
    end)
end)
