-- server.lua - a simulated server as a test sees it: t.server and its methods.
--
-- The bridge's part stops whenever a script asks for something that a stub has
-- to answer, and when something failed; so all of a test's own code runs here,
-- between turns of the workers and never inside of one.
--
-- SPDX-License-Identifier: MIT
local json = require("tidewire").json
local client = require "tidewire.test.client"
local request = require "tidewire.test.request"
local stubs = require "tidewire.test.stubs"
local options_of = require "tidewire.test.options"

local M = {}

-- Longer than a handler may take, and than a hook may wait.
local PATIENCE_MS = 120000
-- In which the other workers find a new incarnation.
local COMEBACK_MS = 500
local LOGS_TOLD = 12
-- Answers of stubs in one moment of the clock.
local MOST_ROUNDS = 10000
local RESTLESS = "the workers do not come to rest: something goes on for ever without any time passing"

local Server = {}
Server.__index = Server

--------------------------------------------------------------------------------
-- Time
--------------------------------------------------------------------------------

--- Runs `fn` when the clock gets to `at_ms`.
function Server:_schedule(at_ms, fn)
    local due = self._due
    local i = #due
    while i > 0 and due[i].at > at_ms do
        i = i - 1
    end
    table.insert(due, i + 1, { at = at_ms, fn = fn })
end

function Server:_now()
    return (self._native.now(self._world))
end

-- True when something was due.
local function run_due(self)
    local due = self._due
    local did = false
    while due[1] and due[1].at <= self:_now() do
        did = true
        table.remove(due, 1).fn()
    end
    return did
end

local function describe_failure(message, fields, worker)
    if fields.call == "conn.state" then
        return message
    end
    local text = ("%s failed in worker %d: %s"):format(fields.call or "a call", worker, message)
    local trace = fields.traceback
    return trace and trace ~= "" and text .. "\n" .. trace or text
end

-- The first failure that was not expected.
local function take_failure(self)
    while true do
        local level, message, fields, worker = self._native.note(self._world, true)
        if not level then
            return self._stubs:take_complaint()
        end
        local is_expected = false
        for i, text in ipairs(self._expected) do
            if message:find(text, 1, true) then
                table.remove(self._expected, i)
                is_expected = true
                break
            end
        end
        if not is_expected then
            return describe_failure(message, fields, worker)
        end
    end
end

-- Lets the workers go on until nothing is left to do, up to `until_ms` of the
-- clock, or until the client `id` has its answer. Raises, for the caller of the
-- method that calls it, what went wrong.
local function settle(self, until_ms, id)
    local native, world, due = self._native, self._world, self._due
    until_ms = until_ms or self:_now()
    local rounds, at = 0, nil
    repeat
        local now = self:_now()
        rounds = now == at and rounds + 1 or 0
        at = now
        local target = due[1] and math.min(due[1].at, until_ms) or until_ms
        local how = native.run(world, target, id)
        if how == "restless" or rounds > MOST_ROUNDS then
            error(RESTLESS, 3)
        end
        local asked = how == "asked" and self._stubs:answer_all()
        local failure = take_failure(self)
        if failure then
            error(failure, 3)
        end
        local did = run_due(self)
        local is_over = how == "done" and (target == until_ms or (id and native.has_answer(world, id)))
    until is_over and not asked and not did
end

--- Moves the clock; whatever falls due on the way happens at its time.
---@param seconds number
function Server:advance(seconds)
    if type(seconds) ~= "number" or seconds < 0 or seconds > 1e9 then
        error("s:advance takes a number of seconds", 2)
    end
    local at = self:_now() + math.ceil(seconds * 1000 - 1e-6)
    settle(self, at)
end

--- What tw.now() answers.
---@return number
function Server:now()
    local _, wall = self._native.now(self._world)
    return wall / 1000
end

--------------------------------------------------------------------------------
-- Workers
--------------------------------------------------------------------------------

-- Kind, the path that reports say, the folder to require from, and the code.
local function resolve(self, script, what)
    local dir = self._options.dir
    if type(script) == "function" then
        return "code", self._options.file, dir, script
    elseif type(script) ~= "string" or script == "" then
        error(what .. ": the script is a path, the text of a script or a function", 3)
    elseif script:find("\n", 1, true) then
        return "text", "inline script", dir, script
    end
    local path = script:sub(1, 1) == "/" and script or dir .. "/" .. script
    path = path:gsub("^%./", "")
    return "file", path, path:match "^(.*)/[^/]*$" or "."
end

--- Ends a worker as a crash does; it comes back as a new incarnation.
---@param worker integer
---@param seconds number?
function Server:kill_worker(worker, seconds)
    local native, world = self._native, self._world
    local function comeback()
        local ok, report = native.respawn(world, worker)
        if not ok then
            error(("worker %d does not come back: %s"):format(worker, report), 0)
        end
    end
    native.kill(world, worker)
    if seconds then
        self:_schedule(self:_now() + math.ceil(seconds * 1000), comeback)
        settle(self)
    else
        comeback()
        settle(self, self:_now() + COMEBACK_MS)
    end
end

local function reload(self, script, what)
    local native, world = self._native, self._world
    local generation, report
    settle(self)
    if script then
        local kind, path, dir, code = resolve(self, script, what)
        generation, report = native.reload(world, kind, path, dir, code)
    else
        generation, report = native.reload(world)
    end
    settle(self)
    return generation, report
end

--- Loads the script anew, or another one, in all workers.
---@param script any
---@return integer generation
function Server:reload(script)
    local generation, report = reload(self, script, "s:reload")
    if not generation then
        error("the reload was refused: " .. report, 2)
    end
    return generation
end

--- A reload that must not succeed.
---@param script any
---@return string report
function Server:refuse_reload(script)
    local generation, report = reload(self, script, "s:refuse_reload")
    if generation then
        error(("the reload was not refused: generation %d runs"):format(generation), 2)
    end
    return report
end

--------------------------------------------------------------------------------
-- Requests
--------------------------------------------------------------------------------

-- The worker that was asked for, or whose turn it is.
local function choose(self, worker)
    if worker then
        return worker
    end
    for _ = 1, self._workers do
        local slot = self._turn % self._workers
        self._turn = self._turn + 1
        if self._native.is_alive(self._world, slot) then
            return slot
        end
    end
    return 0
end

-- Sends the request and waits for its answer; the id of the connection.
local function ask(self, text, options)
    local worker = choose(self, options.worker)
    local user, info
    if options.user ~= nil then
        user = tostring(options.user)
        info = options.info ~= nil and json.encode(options.info) or nil
    end
    if not self._native.is_alive(self._world, worker) then
        return nil, ("worker %d is not running"):format(worker)
    end
    local id, why = self._native.connect(self._world, worker, options.ip or "127.0.0.1", text, user, info)
    return id, id and worker or why
end

--- A client that is connected, or nil and why it is not.
---@param options table|string|nil
---@return table? client
---@return table? refusal
function Server:connect(options)
    options = request.options("s:connect", options, request.CONNECT)
    local id, worker = ask(self, request.upgrade(options), options)
    if not id then
        return nil, request.refusal(0, worker, {})
    end
    settle(self, self:_now() + PATIENCE_MS, id)
    local native, world = self._native, self._world
    local head, body = native.answer(world, id)
    local status, headers = request.parse(head)
    if status == 101 then
        return client.new(self, id, worker, headers, settle)
    end
    native.forget(world, id)
    return nil, request.refusal(status, body, headers)
end

--- An HTTP request.
---@param options table|string|nil
---@return table response
function Server:request(options)
    options = request.options("s:request", options, request.PLAIN)
    local id, worker = ask(self, request.plain(options), options)
    if not id then
        error("s:request: " .. worker, 2)
    end
    settle(self, self:_now() + PATIENCE_MS, id)
    local native, world = self._native, self._world
    local head, body = native.answer(world, id)
    native.forget(world, id)
    if head == "" then
        error("the request was not answered", 2)
    end
    local status, headers = request.parse(head)
    return request.response(status, body, headers)
end

--------------------------------------------------------------------------------
-- The rest
--------------------------------------------------------------------------------

--- Publishes from outside of all connections.
---@param channel string
---@param data any
---@param options table?
function Server:publish(channel, data, options)
    options = options_of.check("s:publish", options, { "key", "ttl", "id", "binary" })
    local text = type(data) == "string" and data or json.encode(data)
    local code = self._native.publish(
        self._world, channel, text, options.binary, options.key, options.ttl, options.id
    )
    if code then
        error(("publishing to %s failed: %s"):format(channel, code), 2)
    end
    settle(self)
end

---@return table
function Server:stats()
    settle(self)
    return self._native.stats(self._world)
end

local function take_logs(self)
    local logs = self._logs
    while true do
        local level, message, fields, worker = self._native.note(self._world, false)
        if not level then
            return logs
        end
        logs[#logs + 1] = { level = level, message = message, fields = fields, worker = worker }
    end
end

--- What scripts have logged, oldest first.
---@return table[]
function Server:logs()
    settle(self)
    local copy = {}
    for i, line in ipairs(take_logs(self)) do
        copy[i] = line
    end
    return copy
end

--- An error that contains `text` is to come, and does not fail the case.
---@param text string
function Server:expect_error(text)
    if type(text) ~= "string" then
        error("s:expect_error takes a text", 2)
    end
    self._expected[#self._expected + 1] = text
end

---@param stub table
---@return table
function Server:stub_http(stub)
    local record = self._stubs:add_http(stub)
    return record
end

---@param stub any
---@param options table?
---@return table
function Server:stub_redis(stub, options)
    local record = self._stubs:add_redis(stub, options)
    return record
end

--------------------------------------------------------------------------------
-- For the case that it belongs to
--------------------------------------------------------------------------------

local function finish(self)
    settle(self)
end

--- The case has come to its end without an error.
function Server:_check_end()
    finish(self)
    if self._expected[1] then
        error(("an error that contains %q was expected, and none came"):format(self._expected[1]), 0)
    end
end

--- What may help to understand why the case failed.
function Server:_tell(told, has_failed)
    if not has_failed then
        return
    end
    local logs = take_logs(self)
    local lines = {}
    for i = math.max(1, #logs - LOGS_TOLD + 1), #logs do
        local line = logs[i]
        if not line.fields.traceback then
            lines[#lines + 1] = ("  worker %d %s: %s"):format(line.worker, line.level, line.message)
        end
    end
    if #lines > 0 then
        told[#told + 1] = "scripts logged:\n" .. table.concat(lines, "\n")
    end
end

function Server:_close()
    self._native.close_world(self._world)
end

--------------------------------------------------------------------------------
-- t.server
--------------------------------------------------------------------------------

local OPTIONS = { "workers", "config", "files", "limits", "http", "redis", "now" }

local function add_files(root, files, out)
    for i, path in ipairs(files or {}) do
        out[i] = path:sub(1, 1) == "/" and path or root .. "/" .. path
    end
    return out
end

local function add_values(config, keys, values)
    for key, value in pairs(config or {}) do
        keys[#keys + 1] = tostring(key)
        values[#values + 1] = json.encode(value)
    end
end

---@param native table
---@param test_options table
---@param suite table
---@return fun(script: any, options: table?): table
function M.new(native, test_options, suite)
    return function(script, options)
        options = options_of.check("t.server", options, OPTIONS)
        local keys, values = {}, {}
        add_values(options.config, keys, values)
        local self = setmetatable({
            _native = native,
            _options = test_options,
            _workers = options.workers or 2,
            _turn = 0,
            _due = {},
            _expected = {},
            _logs = {},
        }, Server)
        local kind, path, dir, code = resolve(self, script, "t.server")
        self._world = native.create {
            workers = self._workers,
            keys = keys,
            values = values,
            files = add_files(test_options.root, options.files, {}),
            limits = options.limits or {},
            wall = options.now,
        }
        self._stubs = stubs.new(self)
        suite.servers[#suite.servers + 1] = self
        for _, stub in ipairs(options.http or {}) do
            self:stub_http(stub)
        end
        for name, stub in pairs(options.redis or {}) do
            self:stub_redis(stub, { name = name })
        end
        local ok, report = native.start(self._world, kind, path, dir, code)
        if not ok then
            error("the script does not load: " .. report, 2)
        end
        settle(self)
        return self
    end
end

return M
