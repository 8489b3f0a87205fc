-- main_test.lua - the tests of the example: tidewire test main_test.lua
--
-- SPDX-License-Identifier: MIT
local t = require "tidewire.test"
local tw = require "tidewire"

local SECRET = ("s"):rep(32)

local function serve(more)
    local config = {
        senders = {
            shop = { key = "shop-key", receipts = "https://shop.example/read" },
            bank = { key = "bank-key" },
        },
        secret = SECRET,
        dev_login = true,
    }
    for name, value in pairs(more or {}) do
        config[name] = value
    end
    return t.server("main.lua", { config = config })
end

local function login(s, user)
    local answer = s:request { method = "POST", path = "/login", body = { user = user } }
    t.equal(answer.status, 200)
    return answer.headers["set-cookie"]:match "^[^;]+"
end

-- A device, and the place where it stands.
local function device(s, user, since, worker)
    local headers = { cookie = login(s, user) }
    local c = assert(s:connect { path = "/device", headers = headers, worker = worker })
    c:send { type = "hello", since = since }
    return c, c:expect({ type = "welcome", user = user }).position
end

local function post(s, user, id, key)
    return s:request {
        method = "POST",
        path = "/notes/" .. user,
        headers = { authorization = "Bearer " .. (key or "shop-key") },
        body = { id = id, title = "title " .. id },
    }
end

local function ask(s, user, id)
    local headers = { authorization = "Bearer shop-key" }
    return s:request { path = ("/notes/%s/%s"):format(user, id), headers = headers }
end

t.describe("a note", function()
    local s
    t.before_each(function()
        s = serve()
    end)

    t.it("reaches every device of the user, on every worker", function()
        local phone, laptop = device(s, "ada", nil, 0), device(s, "ada", nil, 1)
        local other = device(s, "bob")
        t.equal(post(s, "ada", "one").status, 202)
        phone:expect { type = "note", id = "shop/one", from = "shop", title = "title one" }
        laptop:expect { type = "note", id = "shop/one" }
        other:expect_none()
    end)

    t.it("waits for a device that is away, as long as it is kept", function()
        s = serve { kept = 60 }
        post(s, "ada", "one")
        s:advance(50)
        local phone, place = device(s, "ada")
        phone:expect { type = "note", id = "shop/one" }
        phone:close()
        post(s, "ada", "two")
        local back = device(s, "ada", place)
        back:expect { type = "note", id = "shop/two" }
        back:expect_none()
        s:advance(70)
        local _, late = device(s, "ada")
        t.equal(late.count, 0)
        t.equal(ask(s, "ada", "one").status, 404)
    end)

    t.it("is one however often it is sent", function()
        local phone = device(s, "ada")
        local first = post(s, "ada", "one"):json()
        s:advance(60)
        t.equal(post(s, "ada", "one"):json(), first)
        phone:expect { type = "note" }
        phone:expect_none()
    end)

    t.it("wants a key", function()
        t.equal(post(s, "ada", "one", "wrong").status, 401)
        t.equal(post(s, "a b", "one").status, 400)
        t.equal(post(s, "ada", "no id").status, 400)
    end)

    t.it("is refused when the sender is too fast, until it is not", function()
        s = serve { rate = { rate = 1, burst = 1 } }
        t.equal(post(s, "ada", "one").status, 202)
        local refused = post(s, "ada", "two")
        t.equal({ refused.status, refused.headers["retry-after"] }, { 429, "1" })
        s:advance(1)
        t.equal(post(s, "ada", "two").status, 202)
    end)

    t.it("stays what it was over a reload and the death of all workers", function()
        s:stub_http { status = 204 }
        local phone = device(s, "ada")
        post(s, "ada", "one")
        phone:expect { type = "note" }
        s:reload()
        phone:send { type = "read", ids = { "shop/one" } }
        phone:expect { type = "read" }
        local before = ask(s, "ada", "one"):json()
        assert(before.read)
        s:kill_worker(0)
        s:kill_worker(1)
        t.equal(ask(s, "ada", "one"):json(), before)
        local back = device(s, "ada")
        post(s, "ada", "one")
        back:expect { type = "note", id = "shop/one", read = before.read }
    end)
end)

t.describe("a receipt", function()
    local s, phone
    t.before_each(function()
        s = serve()
        phone = device(s, "ada", nil, 0)
        post(s, "ada", "one")
        phone:expect { type = "note" }
    end)

    t.it("is told to other devices and to the sender, signed", function()
        local laptop = device(s, "ada", nil, 1)
        laptop:expect { type = "note" }
        local hook = s:stub_http { url = "https://shop.example/read", status = 204 }
        phone:send { type = "read", ids = { "shop/one" } }
        laptop:expect { type = "read", ids = { "shop/one" } }
        t.equal(#hook.calls, 1)
        t.equal(hook.calls[1].method, "POST")
        t.contains(hook.calls[1]:json(), { user = "ada", ids = { "one" } })
        local mac = tw.crypto.hmac("shop-key", hook.calls[1].body, { as = "hex" })
        t.equal(hook.calls[1].headers["x-signature"], "sha256=" .. mac)
        assert(ask(s, "ada", "one"):json().read)
    end)

    t.it("is told once, however often a device says so", function()
        local hook = s:stub_http { status = 204 }
        phone:send { type = "read", ids = { "shop/one" } }
        phone:send { type = "read", ids = { "shop/one" } }
        t.equal(#hook.calls, 1)
    end)

    t.it("is tried again for a while, and then left", function()
        local hook = s:stub_http { status = 500 }
        phone:send { type = "read", ids = { "shop/one" } }
        t.equal(#hook.calls, 1)
        s:advance(2)
        t.equal(#hook.calls, 2)
        s:advance(600)
        t.equal(#hook.calls, 5)
        t.equal(#s:logs(), 5)
    end)

    t.it("is not wanted by a sender that says no", function()
        local hook = s:stub_http { status = 410 }
        phone:send { type = "read", ids = { "shop/one" } }
        s:advance(600)
        t.equal(#hook.calls, 1)
    end)
end)

t.describe("a device", function()
    t.it("is let in for as long as its token holds", function()
        local s = serve()
        local phone = device(s, "ada")
        s:advance(3700)
        phone:skip()
        t.equal(phone:is_open(), false)
    end)

    t.it("is refused without one", function()
        local s = serve()
        local c, refusal = s:connect "/device"
        t.equal({ c, refusal.status }, { nil, 401 })
    end)

    t.it("has to say hello", function()
        local s = serve()
        local c = s:connect { path = "/device", headers = { cookie = login(s, "ada") } }
        s:advance(11)
        c:expect_close(1008, "no hello")
    end)
end)
