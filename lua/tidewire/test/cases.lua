-- cases.lua - groups and cases, and what runs around each.
--
-- The bridge calls driver.run(i) for a case, which raises when it fails, and
-- then driver.finish(i, message, traceback, kind), which ends whatever the case
-- left running. So not even a case that used up its time keeps the next from
-- starting clean.
--
-- SPDX-License-Identifier: MIT
local M = {}

---@class test.Group
---@field name string
---@field parent test.Group?
---@field before function[]
---@field after function[]

local function need_function(what, fn)
    if type(fn) ~= "function" then
        error(("%s takes a function"):format(what), 3)
    end
end

local function need_name(what, name)
    if type(name) ~= "string" or name == "" then
        error(("%s takes a name"):format(what), 3)
    end
end

--- "outer > inner > case"
local function full_name(group, name)
    while group.parent do
        name = group.name .. " > " .. name
        group = group.parent
    end
    return name
end

local function run_before(group)
    if group.parent then
        run_before(group.parent)
    end
    for _, fn in ipairs(group.before) do
        fn()
    end
end

--- Of the innermost group first; all run, and the first error is told.
local function run_after(group)
    local first
    while group do
        for i = #group.after, 1, -1 do
            local ok, raised = pcall(group.after[i])
            if not ok and not first then
                first = tostring(raised)
            end
        end
        group = group.parent
    end
    return first
end

---@param options table
---@param reporter table
---@return table suite
function M.new(options, reporter)
    local group = { name = "", before = {}, after = {} }
    local list = {}
    local is_running = false
    local suite = { servers = {} }

    local function need_loading(what)
        if is_running then
            error(("%s cannot be used inside of a case"):format(what), 3)
        end
    end

    function suite.describe(name, fn)
        need_name("t.describe", name)
        need_function("t.describe", fn)
        need_loading "t.describe"
        group = { name = name, parent = group, before = {}, after = {} }
        fn()
        group = group.parent
    end

    local function add(name, fn)
        list[#list + 1] = { name = full_name(group, name), group = group, fn = fn }
    end

    function suite.it(name, fn)
        need_name("t.it", name)
        need_function("t.it", fn)
        need_loading "t.it"
        add(name, fn)
    end

    function suite.skip(name)
        need_name("t.skip", name)
        need_loading "t.skip"
        add(name, nil)
    end

    function suite.before_each(fn)
        need_function("t.before_each", fn)
        need_loading "t.before_each"
        group.before[#group.before + 1] = fn
    end

    function suite.after_each(fn)
        need_function("t.after_each", fn)
        need_loading "t.after_each"
        group.after[#group.after + 1] = fn
    end

    local driver = {}

    --- All cases that are wanted; how many there are.
    function driver.collect()
        local wanted = {}
        local is_pattern, why = pcall(string.find, "", options.filter or "")
        if not is_pattern then
            error("--filter is no Lua pattern: " .. tostring(why), 0)
        end
        for _, case in ipairs(list) do
            if not options.filter or case.name:find(options.filter) then
                wanted[#wanted + 1] = case
            end
        end
        list = wanted
        reporter.begin(#list)
        return #list
    end

    function driver.run(i)
        local case = list[i]
        is_running = true
        if case.fn then
            run_before(case.group)
            case.fn()
            for _, server in ipairs(suite.servers) do
                server:_check_end()
            end
        end
    end

    local function end_servers()
        for i = #suite.servers, 1, -1 do
            suite.servers[i]:_close()
            suite.servers[i] = nil
        end
    end

    function driver.finish(i, message, traceback, kind)
        local case = list[i]
        if not case.fn then
            reporter.skipped(i, case.name)
            return "skipped"
        end
        local failed_after = run_after(case.group)
        local told = {}
        for _, server in ipairs(suite.servers) do
            server:_tell(told, message ~= nil)
        end
        end_servers()
        if not message and not failed_after then
            reporter.passed(i, case.name)
            return "passed"
        end
        reporter.failed(i, case.name, {
            message = message or "after_each: " .. failed_after,
            traceback = traceback,
            kind = kind or "error",
            told = told,
        })
        return "failed"
    end

    suite.driver = driver
    return suite
end

return M
