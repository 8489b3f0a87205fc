-- For redis.py: so many pipelines of so many GETs, some at once; how many calls
-- a second that made. SPDX-License-Identifier: MIT
local tw = require "tidewire"

local redis = tw.redis()

local function work(pipelines, depth)
    for _ = 1, pipelines do
        local results, err = redis:pipeline(function(p)
            for _ = 1, depth do
                p:call("GET", "key")
            end
        end)
        if not results then
            error(tostring(err))
        end
    end
end

return tw.routes {
    ["GET /run"] = function(req)
        local pipelines, depth = tonumber(req.query.pipelines), tonumber(req.query.depth)
        local tasks = tonumber(req.query.tasks)
        assert(redis:call("SET", "key", "xxx"))
        local began, running = tw.clock(), {}
        for i = 1, tasks do
            running[i] = tw.spawn(function()
                work(pipelines, depth)
            end)
        end
        for _, task in ipairs(running) do
            task:wait()
        end
        return 200, { rate = tasks * pipelines * depth / (tw.clock() - began) }
    end,
}
