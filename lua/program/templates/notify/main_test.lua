-- Tests of @NAME@: run them with `tidewire test main_test.lua`.
local t = require "tidewire.test"

t.describe("notifications", function()
    local s
    t.before_each(function()
        s = t.server("main.lua", { config = { push_key = "secret" } })
    end)

    -- What a backend sends.
    local function notify(user, text, headers)
        headers = headers or {}
        headers.authorization = headers.authorization or "Bearer secret"
        return s:request { method = "POST", path = "/notify/" .. user, body = text, headers = headers }
    end

    t.it("reach all devices of a user, and nobody else", function()
        local phone = s:connect { path = "/device", query = { user = "ada" }, worker = 0 }
        local laptop = s:connect { path = "/device", query = { user = "ada" }, worker = 1 }
        local other = s:connect { path = "/device", query = { user = "bob" } }
        phone:expect { type = "welcome" }
        laptop:expect { type = "welcome" }
        other:expect { type = "welcome" }

        t.equal(notify("ada", "Your tea is ready").status, 202)
        phone:expect { type = "note", text = "Your tea is ready" }
        laptop:expect { type = "note", text = "Your tea is ready" }
        other:expect_none()
    end)

    t.it("wait for a device that is away", function()
        local phone = s:connect { path = "/device", query = { user = "ada" } }
        local place = phone:expect { type = "welcome" }
        phone:drop()
        notify("ada", "one")
        s:advance(3600)

        local query = { user = "ada", epoch = place.epoch, offset = place.offset }
        local back = s:connect { path = "/device", query = query }
        back:expect { type = "welcome", missed = false }
        back:expect { type = "note", text = "one" }
    end)

    t.it("come once, however often the backend repeats them", function()
        local phone = s:connect { path = "/device", query = { user = "ada" } }
        phone:skip()
        for _ = 1, 3 do
            t.equal(notify("ada", "paid", { ["idempotency-key"] = "order-7" }).status, 202)
        end
        phone:expect { text = "paid" }
        phone:expect_none()
    end)

    t.it("take a key", function()
        t.equal(notify("ada", "hello", { authorization = "Bearer guess" }).status, 401)
    end)

    t.it("are for those who say who they are", function()
        local _, refusal = s:connect "/device"
        t.equal(refusal.status, 401)
    end)
end)
