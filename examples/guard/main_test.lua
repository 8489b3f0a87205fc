-- main_test.lua - the tests of the example: tidewire test main_test.lua
--
-- SPDX-License-Identifier: MIT
local t = require "tidewire.test"

local URL = "https://moderation.example/check"

local s, redis, service

-- A server whose Redis is empty and whose service allows all but rude words,
-- and takes `delay` seconds to say so.
local function serve(guard)
    guard.moderation = URL
    s = t.server("main.lua", { config = { guard = guard } })
    redis = s:stub_redis(nil, { name = "guard" })
end

local function moderate(delay)
    service = s:stub_http {
        url = URL,
        delay = delay,
        reply = function(req)
            local is_rude = req.body:find("rude", 1, true) ~= nil
            return 200, { allow = not is_rude, why = "not that" }
        end,
    }
end

local function enter(name, worker)
    local c = assert(s:connect { path = "/room/tea", query = { name = name }, worker = worker })
    c:send { type = "hello" }
    return c, c:expect({ type = "welcome", name = name }).position
end

local serial = 0
local function say(c, text)
    serial = serial + 1
    c:send { type = "say", text = text, ref = "r" .. serial }
end

t.describe("a message", function()
    local ada, bob
    t.before_each(function()
        serve {}
        moderate()
        ada, bob = enter("ada", 0), enter("bob", 1)
    end)

    t.it("is told to all when both allow it", function()
        say(ada, "hello")
        local took = { redis = t.any, moderation = t.any }
        ada:expect { type = "said", name = "ada", text = "hello", took = took }
        bob:expect { type = "said", text = "hello" }
        t.contains(service.calls[1]:json(), { user = "ada", text = "hello" })
    end)

    t.it("is refused when the service says no, and nobody else hears of it", function()
        say(ada, "rude words")
        ada:expect { type = "refused", code = "moderated", text = "not that" }
        bob:expect_none()
    end)

    t.it("is refused when there were too many, until the window ends", function()
        for i = 1, 20 do
            say(ada, "m" .. i)
            ada:expect { type = "said" }
        end
        say(ada, "one more")
        ada:expect { type = "refused", code = "too_fast" }
        s:advance(10)
        say(ada, "later")
        ada:expect { type = "said", text = "later" }
    end)

    t.it("keeps its order while others go ahead", function()
        local slow = s:stub_http { url = URL, delay = 2, times = 1, body = { allow = true } }
        say(ada, "first")
        say(ada, "second")
        say(bob, "meanwhile")
        bob:expect { type = "said", text = "meanwhile" }
        bob:expect_none()
        t.equal(#slow.calls, 1)
        s:advance(2)
        bob:expect { type = "said", text = "first" }
        bob:expect { type = "said", text = "second" }
    end)

    t.it("takes as long as the slower of the two", function()
        redis = s:stub_redis(nil, { name = "guard", delay = 0.3 })
        moderate(0.5)
        say(ada, "hello")
        s:advance(0.4)
        ada:expect_none()
        s:advance(0.2)
        ada:expect { type = "said", text = "hello" }
    end)
end)

t.describe("somebody who is banned", function()
    t.it("says nothing", function()
        serve {}
        moderate()
        redis = s:stub_redis({
            SISMEMBER = function(_, user)
                return user == "mallory" and 1 or 0
            end,
            INCR = 1,
            EXPIRE = 1,
        }, { name = "guard" })
        local mallory, ada = enter "mallory", enter "ada"
        say(mallory, "hello")
        mallory:expect { type = "refused", code = "banned" }
        say(ada, "hello")
        ada:expect { type = "said" }
        t.contains(redis.calls[1], { "SISMEMBER", "guard:banned", "mallory" })
    end)
end)

t.describe("without the service", function()
    t.it("messages pass, marked, and soon it is left alone", function()
        serve {}
        service = s:stub_http { url = URL, status = 503 }
        local ada = enter "ada"
        for i = 1, 8 do
            say(ada, "m" .. i)
            ada:expect { type = "said", unchecked = { "moderation" } }
        end
        t.equal(#service.calls, 5)
        moderate()
        s:advance(5)
        say(ada, "back")
        t.equal(ada:expect({ type = "said", text = "back" }).unchecked, nil)
    end)

    t.it("messages are refused where that is wanted", function()
        serve { without_moderation = "refuse" }
        s:stub_http { url = URL, error = "unavailable" }
        local ada = enter "ada"
        say(ada, "hello")
        ada:expect { type = "refused", code = "unavailable" }
    end)

    t.it("that says something else is none", function()
        serve {}
        s:stub_http { url = URL, body = { fine = true } }
        local ada = enter "ada"
        say(ada, "hello")
        ada:expect { type = "said", unchecked = { "moderation" } }
    end)
end)

t.describe("without Redis", function()
    t.it("messages are refused", function()
        serve {}
        moderate()
        s:stub_redis(nil, { name = "guard", error = "unavailable" })
        local ada = enter "ada"
        say(ada, "hello")
        ada:expect { type = "refused", code = "unavailable" }
    end)

    t.it("messages pass where that is wanted, if the service allows them", function()
        serve { without_redis = "pass" }
        moderate()
        s:stub_redis(nil, { name = "guard", error = "unavailable" })
        local ada = enter "ada"
        say(ada, "hello")
        ada:expect { type = "said", unchecked = { "redis" } }
        say(ada, "rude")
        ada:expect { type = "refused", code = "moderated" }
    end)
end)

t.describe("a page", function()
    t.it("that comes back gets what it missed", function()
        serve {}
        moderate()
        local ada, place = enter "ada"
        local bob = enter "bob"
        bob:close()
        say(ada, "meanwhile")
        local back = s:connect { path = "/room/tea", query = { name = "bob" } }
        back:send { type = "hello", since = { epoch = place.epoch, offset = place.offset } }
        back:expect { type = "welcome", position = { count = 1 } }
        back:expect { type = "said", text = "meanwhile" }
    end)

    t.it("is told where it stands when the room's home dies", function()
        serve {}
        moderate()
        local ada = enter("ada", 0)
        local bob = enter("bob", 1)
        say(ada, "before")
        ada:expect { type = "said" }
        bob:expect { type = "said" }
        s:kill_worker(0)
        s:kill_worker(1)
        local back = enter("ada", 0)
        say(back, "after")
        back:expect { type = "said", text = "after" }
    end)
end)
