-- What the workers of a test share. SPDX-License-Identifier: MIT
local t = require "tidewire.test"
t.it("dictionaries and limits are those of the server, and outlive a worker", function()
    local s = t.server [[
local tw = require "tidewire"
local d = tw.dict("d")
return tw.routes {
    ["GET /"] = function()
        local ok = tw.limit("a", { rate = 1, burst = 2 }) == true
        return 200, { n = d:incr("k", 1, 0, 60), ok = ok, worker = tw.worker }
    end,
}
]]
    t.contains(s:request { worker = 0 }:json(), { n = 1, ok = true })
    t.contains(s:request { worker = 1 }:json(), { n = 2, ok = true })
    t.contains(s:request { worker = 1 }:json(), { n = 3, ok = false })
    s:kill_worker(0)
    t.contains(s:request { worker = 0 }:json(), { n = 4, ok = false, worker = 0 })
    s:advance(60)
    t.contains(s:request { worker = 0 }:json(), { n = 1, ok = true })
end)
