-- stubs.lua - what answers when scripts ask the world: HTTP servers and Redis.
-- SPDX-License-Identifier: MIT
local json = require("tidewire").json
local memory = require "tidewire.test.redis"
local options_of = require "tidewire.test.options"

local M = {}

local Stubs = {}
Stubs.__index = Stubs

---@param server table
---@return table
function M.new(server)
    return setmetatable({ server = server, http = {}, redis = {}, complaints = {}, busy_until = {} }, Stubs)
end

--- What the case is to fail with, because no stub answered; nil: nothing.
function Stubs:take_complaint()
    return table.remove(self.complaints, 1)
end

local function later(self, delay, fn)
    local server = self.server
    if delay and delay > 0 then
        server:_schedule(server:_now() + math.ceil(delay * 1000), fn)
    else
        fn()
    end
end

--------------------------------------------------------------------------------
-- HTTP
--------------------------------------------------------------------------------

local HTTP = { "url", "method", "status", "headers", "body", "error", "reply", "delay", "times" }

-- `*` is any text, all else is itself.
local function to_pattern(url)
    return "^" .. url:gsub("[%^%$%(%)%%%.%[%]%+%-%?]", "%%%0"):gsub("%*", ".*") .. "$"
end

function Stubs:add_http(stub)
    stub = options_of.check("s:stub_http", stub, HTTP, 4)
    local added = {
        stub = stub,
        pattern = stub.url and to_pattern(stub.url),
        left = stub.times or math.huge,
        record = { calls = {} },
    }
    table.insert(self.http, 1, added)
    return added.record
end

local function find_http(self, method, url)
    for _, added in ipairs(self.http) do
        local stub = added.stub
        local fits = (not stub.method or stub.method == method) and (not added.pattern or url:find(added.pattern))
        if fits and added.left > 0 then
            return added
        end
    end
end

local Call = {}
Call.__index = Call

function Call:json()
    return json.decode(self.body)
end

-- Text as it is, anything else as JSON.
local function body_of(body, headers)
    if body == nil then
        return "", headers
    elseif type(body) == "string" then
        return body, headers
    end
    local with_type = { ["content-type"] = "application/json" }
    for name, value in pairs(headers) do
        with_type[name] = value
    end
    return json.encode(body), with_type
end

local function texts(headers)
    local copy = {}
    for name, value in pairs(headers or {}) do
        copy[name] = tostring(value)
    end
    return copy
end

local function answer_of(stub, call)
    if not stub.reply then
        return stub.error == nil and (stub.status or 200) or nil, stub.error or stub.body, stub.headers
    end
    return stub.reply(call)
end

local function answer_http(self, slot, number, method, url, headers, body)
    local server = self.server
    local lower = {}
    for name, value in pairs(headers) do
        lower[name:lower()] = value
    end
    local call = setmetatable({ method = method, url = url, headers = lower, body = body }, Call)
    local added = find_http(self, method, url)
    local native, world = server._native, server._world
    if not added then
        local text = "no stub answers the request %s %s: see s:stub_http"
        self.complaints[#self.complaints + 1] = text:format(method, url)
        native.reply(world, slot, number, "unavailable")
        return
    end
    added.left = added.left - 1
    table.insert(added.record.calls, call)
    local status, result, of_answer = answer_of(added.stub, call)
    later(self, added.stub.delay, function()
        if not native.is_alive(world, slot) then
            return
        elseif not status then
            native.reply(world, slot, number, tostring(result or "unavailable"))
            return
        end
        local text, with_headers = body_of(result, texts(of_answer))
        native.reply(world, slot, number, nil, status, with_headers, text)
    end)
end

--------------------------------------------------------------------------------
-- Redis
--------------------------------------------------------------------------------

local REDIS = { "name", "delay", "error" }

function Stubs:add_redis(stub, options)
    options = options_of.check("s:stub_redis", options, REDIS, 4)
    local kind = type(stub)
    if stub ~= nil and kind ~= "table" and kind ~= "function" then
        error("s:stub_redis takes a function or a table of commands", 3)
    end
    local server = self.server
    local name = options.name or "main"
    local added = { delay = options.delay, record = { calls = {} } }
    if kind == "function" then
        added.answer = stub
    elseif kind == "table" then
        added.commands = {}
        for command, value in pairs(stub) do
            added.commands[command:upper()] = value
        end
    else
        added.answer = memory.new(function()
            return server:now()
        end)
    end
    self.redis[name] = added
    server._native.redis(server._world, name, options.error)
    return added.record
end

local function bulk(text)
    return ("$%d\r\n%s\r\n"):format(#text, text)
end

local function encode(value, err)
    if value == nil and err ~= nil then
        return ("-%s\r\n"):format(tostring(err):gsub("[\r\n]", " "))
    elseif value == nil or value == false or value == json.null then
        return "$-1\r\n"
    elseif value == true then
        return "+OK\r\n"
    elseif type(value) == "number" then
        return value % 1 == 0 and (":%d\r\n"):format(value) or bulk(tostring(value))
    elseif type(value) ~= "table" then
        return bulk(tostring(value))
    end
    local count = value.n or #value
    local parts = { ("*%d\r\n"):format(count) }
    for i = 1, count do
        parts[i + 1] = encode(value[i])
    end
    return table.concat(parts)
end

-- What every connection says of itself.
local MANNERS = { CLIENT = true, SELECT = true, AUTH = true, HELLO = true }

local function run_command(added, command, args)
    if added.commands then
        local value = added.commands[command]
        if type(value) == "function" then
            return value(unpack(args, 2))
        elseif value ~= nil then
            return value
        end
        return nil, ("ERR unknown command '%s'"):format(command)
    end
    return added.answer(command, unpack(args, 2))
end

local function answer_redis(self, id, name, args)
    local server = self.server
    local native, world = server._native, server._world
    local command = args[1]:upper()
    local added = self.redis[name]
    if MANNERS[command] or (command == "PING" and #args == 1) then
        native.write(world, id, command == "PING" and "+PONG\r\n" or "+OK\r\n")
        return
    elseif not added then
        local text = "no stub answers %s of the Redis named '%s': see s:stub_redis"
        self.complaints[#self.complaints + 1] = text:format(table.concat(args, " "), name)
        native.write(world, id, "-ERR no stub\r\n")
        return
    end
    args[1] = command
    table.insert(added.record.calls, args)
    local bytes = encode(run_command(added, command, args))
    -- Answers of one connection come in the order of its commands.
    local at = math.max(server:_now() + math.ceil((added.delay or 0) * 1000), self.busy_until[id] or 0)
    self.busy_until[id] = at
    later(self, (at - server:_now()) / 1000, function()
        native.write(world, id, bytes)
    end)
end

--- Answers whoever asks; true when anybody did.
---@return boolean
function Stubs:answer_all()
    local server = self.server
    local native, world = server._native, server._world
    local did = false
    while true do
        local kind, a, b, c, d, e, f = native.asked(world)
        if kind == "http" then
            answer_http(self, a, b, c, d, e, f)
        elseif kind == "redis" then
            answer_redis(self, a, b, c)
        else
            return did
        end
        did = true
    end
end

return M
