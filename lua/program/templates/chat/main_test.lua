-- Tests of @NAME@: run them with `tidewire test main_test.lua`.
local t = require "tidewire.test"

t.describe("the chat", function()
    local s
    t.before_each(function()
        s = t.server "main.lua"
    end)

    t.it("tells everybody in the room what is said", function()
        local ada = s:connect { path = "/chat/tea", query = { name = "Ada" }, worker = 0 }
        ada:expect { type = "join", name = "Ada" }
        local bob = s:connect { path = "/chat/tea", query = { name = "Bob" }, worker = 1 }
        ada:expect { type = "join", name = "Bob" }
        bob:skip() -- what was there before he came

        bob:send { text = "Is there any left?" }
        ada:expect { type = "say", name = "Bob", text = "Is there any left?" }
        bob:expect { type = "say" }
    end)

    t.it("keeps rooms apart", function()
        local ada = s:connect { path = "/chat/tea", query = { name = "Ada" } }
        ada:skip()
        s:connect { path = "/chat/coffee", query = { name = "Bob" } }
        ada:expect_none()
    end)

    t.it("shows who comes in what was said, for an hour", function()
        local ada = s:connect { path = "/chat/tea", query = { name = "Ada" } }
        ada:send { text = "First!" }
        ada:close()
        local bob = s:connect { path = "/chat/tea", query = { name = "Bob" } }
        bob:expect { type = "join", name = "Ada" }
        bob:expect { type = "say", text = "First!" }

        s:advance(3601)
        local eve = s:connect { path = "/chat/tea", query = { name = "Eve" } }
        eve:expect { type = "join", name = "Eve" }
    end)

    t.it("wants a name", function()
        local nobody, refusal = s:connect "/chat/tea"
        t.equal(nobody, nil)
        t.equal(refusal.status, 400)
    end)

    t.it("loses nobody in a reload", function()
        local ada = s:connect { path = "/chat/tea", query = { name = "Ada" } }
        ada:skip()
        s:reload()
        ada:send { text = "Still here" }
        ada:expect { type = "say", text = "Still here" }
    end)
end)
