-- SPDX-License-Identifier: MIT
local t = require "tidewire.test"

t.describe("the echo", function()
    local s
    t.before_each(function()
        s = t.server "app.lua"
    end)

    t.it("sends back what arrives, text and bytes, in order", function()
        local c = s:connect()
        c:send "hello"
        c:send("\0\255", { binary = true })
        c:send(("x"):rep(60000))
        t.equal(c:receive(), "hello")
        t.equal(c:receive(), "\0\255")
        t.equal(#c:receive(), 60000)
        c:expect_none()
    end)

    t.it("refuses what is too long", function()
        local c = s:connect()
        c:send(("x"):rep(65537))
        c:expect_close(1009)
    end)

    t.it("goes on after a reload", function()
        local c = s:connect()
        s:reload()
        c:send "again"
        c:expect "again"
    end)
end)
