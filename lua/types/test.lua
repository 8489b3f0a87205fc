---@meta tidewire.test
-- test.lua - what a file for `tidewire test` gets from require "tidewire.test",
-- for editors (LuaLS) and for readers. Nothing here runs.
--
-- SPDX-License-Identifier: MIT

-- luacheck: ignore 212 241

---@class tidewire.test
local t = {}

--- A path from the test file's folder, source text, or a function that uses no
--- local from outside of it.
---@alias test.Script string|fun(): tw.App|tw.Routes

---@alias test.HttpReply fun(req: test.HttpCall): integer|nil, any, table<string, string>?

--- Answers requests of tw.http. Without a reply, an error or a status: 200.
---@class test.HttpStub
---@field url string? what is asked for; `*` stands for any text; any URL without it
---@field method string? any method without it
---@field status integer? 200
---@field headers table<string, string>? of the answer
---@field body any? text, or a table that becomes JSON
---@field error tw.ErrorCode? instead of an answer: "unavailable", "timeout", ...
---@field reply test.HttpReply? status, body, headers; or nil and an error code
---@field delay number? seconds of the virtual clock until the answer; 0
---@field times integer? how many requests it answers; then others do

--- A request of tw.http as a stub got it.
---@class test.HttpCall
---@field method string
---@field url string
---@field headers table<string, string> names in lower case
---@field body string
local HttpCall = {}

---@return any value
---@return string? err
function HttpCall:json() end

--- What has asked a stub so far, oldest first.
---@class test.HttpCalls
---@field calls test.HttpCall[]

---@alias test.RedisStub table<string, any>|fun(command: string, ...: string): any, string?

---@class test.RedisOptions
---@field name string? which Redis; "main"
---@field delay number? seconds of the virtual clock until each answer; 0
---@field error tw.ErrorCode? every call ends with it instead: "unavailable", "timeout"

---@class test.RedisCalls
---@field calls string[][] commands with their arguments, oldest first

---@class test.ServerOptions
---@field workers integer? 2
---@field config table? what tw.config.get reads
---@field files string[]? what tw.file.read may read, from the test file's folder
---@field limits table<string, number>? as in the configuration file: bytes, numbers, seconds
---@field http test.HttpStub[]? there before the script loads, as with s:stub_http
---@field redis table<string, test.RedisStub>? stubs by name, likewise
---@field now number? what tw.now() begins at, in seconds since 1970

---@class test.ConnectOptions
---@field path string? "/"; may have a query
---@field query table<string, any>? added to the path
---@field token string? goes as `token` into the query and as `Authorization: Bearer`
---@field user string? comes in as this user without on_upgrade being asked
---@field info any? about that user, as conn.info
---@field headers table<string, string>?
---@field protocols string[]? subprotocols that it offers
---@field ip string? "127.0.0.1"
---@field worker integer? slot; by turns without it

---@class test.RequestOptions
---@field method string? "GET", or "POST" with a body
---@field path string? "/"; may have a query
---@field query table<string, any>? added to the path
---@field headers table<string, string>?
---@field body any? text, or a table that becomes JSON
---@field ip string? "127.0.0.1"
---@field worker integer? slot; by turns without it

---@class test.Response
---@field status integer
---@field headers table<string, string> names in lower case
---@field body string
local Response = {}

---@return any value
---@return string? err
function Response:json() end

--- Why a connect was refused.
---@class test.Refusal: test.Response
---@field reason string

---@class test.LogLine
---@field level "debug"|"info"|"warn"|"error"
---@field message string
---@field fields table<string, string>
---@field worker integer

--------------------------------------------------------------------------------
-- Cases
--------------------------------------------------------------------------------

--- A group of cases; groups nest.
---@param name string
---@param fn fun()
function t.describe(name, fn) end

--- A case. It passes when `fn` returns.
---@param name string
---@param fn fun()
function t.it(name, fn) end

--- A case that is named and not run.
---@param name string
---@param fn fun()?
function t.skip(name, fn) end

--- Runs before each case of this group and of those in it.
---@param fn fun()
function t.before_each(fn) end

--- Runs after each, also after one that failed.
---@param fn fun()
function t.after_each(fn) end

--- A server of its own, with its workers started. It ends with the case.
---@param script test.Script
---@param options test.ServerOptions?
---@return test.Server
function t.server(script, options) end

--- Fails the case unless `value` contains `expected`: see c:expect.
---@param value any
---@param expected any
function t.contains(value, expected) end

--- Fails the case unless both are the same all the way down.
---@param value any
---@param expected any
function t.equal(value, expected) end

--- Fails the case unless `fn` raises an error whose text contains `text`.
---@param fn fun()
---@param text string?
---@return string message
function t.raises(fn, text) end

--- Fails the case.
---@param message string
function t.fail(message) end

--- In what is expected: any value but nil.
---@type table
t.any = {}

--- In what is expected: a text that the Lua pattern matches.
---@param pattern string
---@return table
function t.match(pattern) end

--------------------------------------------------------------------------------
-- A server
--------------------------------------------------------------------------------

---@class test.Server
local Server = {}

--- A client that is connected, or nil and why it is not.
---@param options test.ConnectOptions|string|nil a string is the path
---@return test.Client? client
---@return test.Refusal? refusal
function Server:connect(options) end

--- An HTTP request, whatever time on the virtual clock it takes.
---@param options test.RequestOptions|string|nil a string is the path
---@return test.Response
function Server:request(options) end

--- Moves the virtual clock; whatever falls due on the way happens at its time.
---@param seconds number
function Server:advance(seconds) end

--- What tw.now() answers now.
---@return number
function Server:now() end

--- Loads the script anew, or another one, in all workers. Fails the case when
--- that is refused; see s:refuse_reload.
---@param script test.Script?
---@return integer generation
function Server:reload(script) end

--- A reload that must not succeed: the old generation goes on.
---@param script test.Script?
---@return string report why
function Server:refuse_reload(script) end

--- Ends a worker as a crash does, at once and without on_close; it comes back
--- as a new incarnation. With `seconds` it stays away so long.
---@param worker integer slot
---@param seconds number?
function Server:kill_worker(worker, seconds) end

--- Publishes from the outside, as a script of worker 0 would.
---@param channel string
---@param data tw.Data
---@param options { key: string?, ttl: number?, id: string? }?
function Server:publish(channel, data, options) end

--- What tw.stats() answers.
---@return tw.Stats
function Server:stats() end

--- What scripts have logged, oldest first.
---@return test.LogLine[]
function Server:logs() end

--- An error of a hook, timer or task whose text contains `text` is to come
--- before the case ends, and does not fail it. Call it before it comes.
---@param text string
function Server:expect_error(text) end

--- The newest stub that fits answers; a request that none answers fails the
--- case.
---@param stub test.HttpStub
---@return test.HttpCalls
function Server:stub_http(stub) end

--- Answers the commands of a Redis: a function, a table with a value or a
--- function for each command, or nothing for a small Redis in memory.
---@param stub test.RedisStub?
---@param options test.RedisOptions?
---@return test.RedisCalls
function Server:stub_redis(stub, options) end

--------------------------------------------------------------------------------
-- A client
--------------------------------------------------------------------------------

---@class test.Client
---@field worker integer where it is connected
---@field subprotocol string?
---@field headers table<string, string> of the answer, names in lower case
local Client = {}

--- A text is sent as it is, anything else as JSON.
---@param data any
---@param options { binary: boolean? }?
function Client:send(data, options) end

--- Fails the case unless the next frame has come and contains `expected`: text
--- in text; in a table every field that is named, all the way down; lists have
--- the same length. Nil is any frame.
---@param expected any
---@return any frame decoded, where it is JSON
function Client:expect(expected) end

--- Fails the case if a frame has come that no expect took.
function Client:expect_none() end

--- Fails the case unless the server has closed the connection with this code,
--- and all frames before that were taken. 1006: it is gone without a close.
---@param code integer?
---@param reason string?
---@return integer code
---@return string reason
function Client:expect_close(code, reason) end

--- The next frame, or nil when none has come.
---@return any frame
function Client:receive() end

--- Forgets the frames that have come; how many they were.
---@return integer
function Client:skip() end

--- The closing handshake.
---@param code integer?
---@param reason string?
function Client:close(code, reason) end

--- Is lost without a close frame.
function Client:drop() end

--- Reads no more, so that the server's queue for it fills.
function Client:pause() end

--- Reads again.
function Client:resume() end

--- Whether the connection is open.
---@return boolean
function Client:is_open() end

return t
