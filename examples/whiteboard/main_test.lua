-- main_test.lua - the tests of the example: tidewire test main_test.lua
--
-- SPDX-License-Identifier: MIT
local t = require "tidewire.test"

local s

-- Somebody at a board, and what they are told first.
local function enter(name, options)
    options = options or {}
    local path = "/ws/" .. (options.board or "tea")
    local c = assert(s:connect { path = path, worker = options.worker })
    c:send {
        type = "hello",
        key = name .. ("k"):rep(24),
        nick = name,
        color = 1,
        since = options.since,
    }
    local here, list
    repeat
        local message = c:receive()
        if message and message.type == "here" then
            here = message
        elseif message and message.type == "strokes" then
            list = message.list
        end
    until not message
    assert(here, "was not let in")
    return c, here, list
end

local function draw(c, id)
    c:send { type = "stroke", id = id, color = 2, width = 40, points = { 1, 2, 3, 4 } }
end

-- The next message of that type; others are passed over.
local function hears(c, kind)
    repeat
        local message = c:receive()
        assert(message, "no " .. kind)
        if message.type == kind then
            return message
        end
    until false
end

-- The ids of what somebody finds who comes now.
local function found(board)
    local c, _, list = enter("visitor", { board = board })
    c:close()
    local ids = {}
    for i, stroke in ipairs(list) do
        ids[i] = stroke.id
    end
    return table.concat(ids, " ")
end

t.describe("a board", function()
    t.before_each(function()
        s = t.server("main.lua", { config = { strokes = 5 } })
    end)

    t.it("shows everybody what is drawn, and keeps it for who comes", function()
        local ada, bob = enter("ada", { worker = 0 }), enter("bob", { worker = 1 })
        draw(ada, "a1")
        draw(bob, "b1")
        t.contains(hears(bob, "stroke"), { id = "a1", points = { 1, 2, 3, 4 } })
        t.contains(hears(bob, "stroke"), { id = "b1" })
        t.equal(found "tea", "a1 b1")
        t.equal(found "coffee", "")
    end)

    t.it("keeps the newest, when there are too many", function()
        local ada = enter "ada"
        for i = 1, 8 do
            draw(ada, "a" .. i)
        end
        t.equal(found "tea", "a4 a5 a6 a7 a8")
    end)

    t.it("takes a stroke once, however often it is sent", function()
        local ada = enter "ada"
        draw(ada, "a1")
        draw(ada, "a2")
        draw(ada, "a1")
        t.equal(found "tea", "a1 a2")
    end)

    t.it("lets one undo one's own, from any worker, and nobody else's", function()
        local ada, bob = enter("ada", { worker = 0 }), enter("bob", { worker = 1 })
        draw(ada, "a1")
        local n = hears(ada, "stroke").n
        bob:send { type = "undo", n = n }
        t.contains(hears(bob, "refused"), { code = "denied", n = n })
        enter("ada", { worker = 1 }):send { type = "undo", n = n }
        t.equal(hears(bob, "erase").n, n)
        t.equal(found "tea", "")
        draw(ada, "a1") -- sent again, late
        t.equal(found "tea", "")
    end)

    t.it("is cleared of what one saw", function()
        local ada, bob = enter "ada", enter "bob"
        draw(ada, "a1")
        local seen = hears(ada, "stroke").n
        draw(bob, "b1")
        ada:send { type = "clear", upto = seen }
        t.equal(hears(bob, "clear").upto, seen)
        t.equal(found "tea", "b1")
    end)

    t.it("is the same after a reload", function()
        local ada = enter "ada"
        draw(ada, "a1")
        s:reload()
        draw(ada, "a2")
        t.equal(found "tea", "a1 a2")
    end)

    t.it("is the same after the death of every worker", function()
        local ada, here = enter("ada", { worker = 0 })
        draw(ada, "a1")
        draw(ada, "a2")
        s:kill_worker(0)
        s:kill_worker(1)
        t.equal(found "tea", "a1 a2")
        local _, again, list = enter("ada", { since = here.position })
        t.equal({ again.whole, #list }, { true, 2 })
    end)

    t.it("is told anew to those who stay when its home dies", function()
        local told = 0
        for i = 1, 8 do -- of these some live in worker 0
            local ada = enter("ada", { board = "b" .. i, worker = 1 })
            draw(ada, "a1")
            ada:skip()
            s:kill_worker(0)
            s:advance(1)
            local message = ada:receive()
            while message and message.type ~= "here" do
                message = ada:receive()
            end
            if message then
                told = told + 1
                t.equal(message.whole, true)
                t.contains(hears(ada, "strokes"), { list = { { id = "a1" } } })
            end
        end
        assert(told > 0, "none of them lived there")
    end)

    t.it("tells who was away for a moment just what they missed", function()
        local ada = enter "ada"
        local bob, here = enter "bob"
        bob:drop()
        draw(ada, "a1")
        local back, again = enter("bob", { since = here.position })
        t.equal(again.whole, false)
        t.equal(again.position.count, 1)
        back:expect_none()
    end)

    t.it("forgets cursors that rest", function()
        local ada = enter "ada"
        ada:send { type = "cursor", x = 5, y = 6 }
        s:advance(1)
        local bob = s:connect "/ws/tea"
        bob:send { type = "hello", key = ("b"):rep(24) }
        t.contains(hears(bob, "cursor"), { nick = "ada", x = 5, y = 6 })
        s:advance(30)
        local late = s:connect "/ws/tea"
        late:send { type = "hello", key = ("c"):rep(24) }
        repeat
            local message = late:receive()
            assert(not message or message.type ~= "cursor", "it is still there")
        until not message
    end)

    t.it("does not wait for who says nothing", function()
        local silent = s:connect "/ws/tea"
        s:advance(11)
        silent:expect_close(1008, "no hello")
    end)
end)
