-- SPDX-License-Identifier: MIT
local t = require "tidewire.test"

local KEYS = { ada = ("a"):rep(32), bob = ("b"):rep(32), eve = ("e"):rep(32) }

t.describe("the chat", function()
    local s
    t.before_each(function()
        s = t.server "chat.lua"
    end)

    -- The next frame of a type; others before it are left out.
    local function take(c, kind)
        for frame in c.receive, c do
            if frame.type == kind then
                return frame
            end
        end
        t.fail(("no %s came"):format(kind))
    end

    -- What is left, by type.
    local function rest(c)
        local counts = {}
        for frame in c.receive, c do
            counts[frame.type] = (counts[frame.type] or 0) + 1
        end
        return counts
    end

    -- Somebody with a key, who is in a room.
    local function enter(name, room, options)
        local c = s:connect(options)
        c:send { type = "hello", key = KEYS[name] or name:rep(24, ""):sub(1, 24) }
        local hello = take(c, "hello")
        c:send { type = "join", room = room or "tea", nick = name }
        local joined = take(c, "joined")
        rest(c)
        return c, joined, hello
    end

    t.describe("a page", function()
        t.it("is told who it is and which rooms there are", function()
            local c = s:connect()
            c:expect { type = "welcome", limits = { text = 500 }, rooms = t.any, generation = 1 }
        end)

        t.it("enters a room and is told its place and who is there", function()
            enter("ada", "tea", { worker = 0 })
            local c = s:connect { worker = 1 }
            c:send { type = "hello", key = KEYS.bob }
            c:send { type = "join", room = "Tea", nick = "bob" }
            t.contains(take(c, "joined"), { room = "tea", nick = "bob", position = { stream = "tea" } })
            t.equal(take(c, "people").count, 2)
        end)

        t.it("is told what is wrong with what it sends", function()
            local c = s:connect()
            take(c, "welcome")
            local wrong = {
                invalid = "no JSON",
                unknown_type = { type = "shout" },
                no_room = { type = "say", text = "hello" },
                bad_room = { type = "join", room = "!?", nick = "ada" },
                bad_nick = { type = "join", room = "tea" },
                bad_key = { type = "hello", key = "short" },
            }
            for code, message in pairs(wrong) do
                c:send(message)
                t.contains(take(c, "error"), { code = code, text = t.any })
            end
            t.equal(c:is_open(), true)
        end)
    end)

    t.describe("what is said", function()
        t.it("reaches everybody in the room, on every worker, once and in order", function()
            local ada, bob = enter("ada", "tea", { worker = 0 }), enter("bob", "tea", { worker = 1 })
            local eve = enter("eve", "coffee")
            rest(ada)
            for i = 1, 3 do
                ada:send { type = "say", text = "line " .. i, ref = i }
            end
            for _, c in ipairs { ada, bob } do
                for i = 1, 3 do
                    t.contains(take(c, "say"), { nick = "ada", text = "line " .. i, ref = i })
                end
            end
            t.equal(rest(eve).say, nil)
        end)

        t.it("is there for who comes later, and no longer than an hour", function()
            local ada = enter "ada"
            ada:send { type = "say", text = "first" }
            local bob = s:connect()
            bob:send { type = "join", room = "tea", nick = "bob" }
            t.contains(take(bob, "say"), { text = "first" })
            s:advance(3601)
            local eve = s:connect()
            eve:send { type = "join", room = "tea", nick = "eve" }
            take(eve, "joined")
            t.equal(rest(eve).say, nil)
        end)

        t.it("is not missed by who was away for a moment", function()
            local ada = enter "ada"
            local bob, joined = enter "bob"
            bob:drop()
            ada:send { type = "say", text = "while you were away" }
            local back = s:connect()
            back:send { type = "join", room = "tea", nick = "bob", since = joined.position }
            t.contains(take(back, "say"), { text = "while you were away" })
            t.equal(rest(back).say, nil)
        end)

        t.it("is said once, though a page says it again", function()
            local ada, bob = enter "ada", enter "bob"
            rest(ada)
            for _ = 1, 2 do
                ada:send { type = "say", text = "hello", ref = "r1" }
            end
            t.equal(rest(bob).say, 1)
        end)

        t.it("is not said too fast, and has a length", function()
            local ada = enter "ada"
            rest(ada)
            ada:send { type = "say", text = ("x"):rep(501), ref = 1 }
            t.contains(take(ada, "error"), { code = "too_long", ref = 1 })
            for i = 1, 7 do
                ada:send { type = "say", text = "x", ref = i }
            end
            t.contains(take(ada, "error"), { code = "too_fast", ref = 7, retry_after = 1 })
            s:advance(1)
            rest(ada)
            ada:send { type = "say", text = "slower" }
            take(ada, "say")
        end)
    end)

    t.describe("a whisper", function()
        t.it("reaches all devices of both, and nobody else", function()
            local ada, bob = enter("ada", "tea", { worker = 0 }), enter("bob", "tea", { worker = 1 })
            local tablet = enter("bob", "tea", { worker = 0 })
            local eve = enter "eve"
            ada:skip()
            ada:send { type = "people" }
            local to
            for _, person in ipairs(take(ada, "people").people) do
                to = person.nick == "bob" and person.to or to
            end
            ada:send { type = "whisper", to = to, text = "psst", ref = 1 }
            for _, c in ipairs { ada, bob, tablet } do
                t.contains(take(c, "whisper"), { text = "psst", from = { nick = "ada" }, to = { nick = "bob" } })
            end
            t.equal(rest(eve).whisper, nil)
        end)

        t.it("to somebody who is not there is answered", function()
            local ada = enter "ada"
            ada:send { type = "whisper", to = "nobody", text = "psst", ref = 2 }
            t.contains(take(ada, "error"), { code = "not_found", ref = 2 })
        end)
    end)

    t.describe("who is here", function()
        t.it("is told when somebody comes and goes, after a grace", function()
            local ada = enter "ada"
            local bob = enter("bob", "tea", { worker = 1 })
            s:advance(1)
            t.contains(take(ada, "presence"), { joined = { { nick = "bob" } }, count = 2 })
            bob:drop()
            s:advance(3)
            t.equal(rest(ada).presence, nil)
            s:advance(3)
            t.contains(take(ada, "presence"), { left = { { nick = "bob" } }, count = 1 })
        end)

        t.it("is counted again in the directory when a worker dies", function()
            local watcher = s:connect { worker = 0 }
            enter("ada", "tea", { worker = 1 })
            s:advance(1)
            local counted
            for frame in watcher.receive, watcher do
                for _, room in ipairs(frame.type == "rooms" and frame.rooms or {}) do
                    counted = room.name == "tea" and room.count or counted
                end
            end
            t.equal(counted, 1)
            s:kill_worker(1)
            s:advance(20)
            for frame in watcher.receive, watcher do
                for _, room in ipairs(frame.type == "rooms" and frame.rooms or {}) do
                    counted = room.name == "tea" and room.count or counted
                end
            end
            -- Nobody who lives has entered it: it is not spoken of any more, or is empty.
            assert(counted == 1 or counted == 0)
            local later = s:connect()
            for _, room in ipairs(take(later, "welcome").rooms) do
                assert(room.name ~= "tea" or room.count == 0)
            end
        end)
    end)

    t.describe("a reload", function()
        t.it("keeps people in their rooms, with their names", function()
            local ada, bob = enter("ada", "tea", { worker = 0 }), enter("bob", "tea", { worker = 1 })
            rest(ada)
            s:reload()
            ada:send { type = "say", text = "after" }
            t.contains(take(bob, "say"), { nick = "ada", text = "after" })
            take(ada, "reload")
        end)
    end)

    t.it("tells a room anew where it stands when its home dies", function()
        local ada, bob = enter("ada", "tea", { worker = 0 }), enter("bob", "tea", { worker = 1 })
        rest(bob)
        -- One of the two is home of the room; whose is not stays.
        s:kill_worker(0)
        ada:skip()
        ada:expect_close(1006)
        s:advance(3)
        rest(bob)
        bob:send { type = "say", text = "anybody?" }
        t.contains(take(bob, "say"), { text = "anybody?" })
    end)
end)
