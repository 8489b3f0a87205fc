-- task.lua - waiting for tasks: what is easier said in Lua than in C.
--
-- Loaded by the bridge when a script requires "tidewire"; scripts have no use
-- for it. A failure of a task is raised in whoever waits for it.
--
-- SPDX-License-Identifier: MIT

-- What the bridge's wait gives: true and results, false and the text of a
-- failure, or nil and an error object (cancelled, timed out).
local function outcome(ok, ...)
    if ok == false then
        error((...), 0)
    elseif ok == nil then
        return nil, (...)
    end
    return ...
end

---@param tasks tw.Task[]
---@param first integer
---@param count integer
local function cancel(tasks, first, count)
    for i = first, count do
        tasks[i]:cancel()
    end
end

---@param spawn fun(fn: function, what: string?): tw.Task
---@param wait fun(task: tw.Task): boolean?, ...
---@return fun(...: function): ... all
---@return fun(task: tw.Task): ... task_wait
return function(spawn, wait)
    local function all(...)
        local count = select("#", ...)
        local tasks, results = {}, {}
        local failure

        -- Whoever fails first ends the others at once, also those that are
        -- waited for before it.
        local function finish(which, ok, ...)
            if ok then
                return ...
            end
            if not failure then
                failure = { (...) }
                cancel(tasks, 1, which - 1)
                cancel(tasks, which + 1, count)
            end
            error((...), 0)
        end

        for i = 1, count do
            if type((select(i, ...))) ~= "function" then
                error(("tw.all: argument %d must be a function"):format(i), 2)
            end
        end
        for i = 1, count do
            local fn = select(i, ...)
            tasks[i] = spawn(function()
                return finish(i, pcall(fn))
            end, "tw.all")
        end
        for i = 1, count do
            local ok, first = wait(tasks[i], "tw.all")
            if not ok then
                -- The others are of no use to anybody now.
                cancel(tasks, i, count)
                if failure then
                    error(failure[1], 0)
                end
                return outcome(ok, first)
            end
            results[i] = first
        end
        return unpack(results, 1, count)
    end

    local function task_wait(task)
        return outcome(wait(task, "task:wait"))
    end

    return all, task_wait
end
