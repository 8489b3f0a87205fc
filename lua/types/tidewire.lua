---@meta tidewire
-- tidewire.lua - what scripts may call, for editors (LuaLS) and for readers.
--
-- Nothing here runs. Waiting functions are marked @async: they may not be
-- called while a script loads, in save, restore or migrate, or inside a
-- callback of gsub, table.sort or require.
--
-- SPDX-License-Identifier: MIT

-- luacheck: ignore 212 241

---@class tidewire
local tw = {}

---@alias tw.ErrorCode
---| "closed"
---| "timeout"
---| "overloaded"
---| "limit"
---| "denied"
---| "exists"
---| "not_found"
---| "invalid"
---| "unavailable"

--- What `nil, err` carries. `tostring(err)` is "code: message".
---@class tw.Error
---@field code tw.ErrorCode|string
---@field message string

--- What can be sent: a string is text (invalid UTF-8 raises), a message keeps
--- its kind and copies nothing into Lua, anything else is encoded as JSON.
---@alias tw.Data string|tw.Message|table|number|boolean|tw.json.Raw

--------------------------------------------------------------------------------
-- App and routes
--------------------------------------------------------------------------------

---@class tw.App an application: give it to tw.routes, or return it

---@class tw.Static a folder: give it to tw.routes

---@class tw.Routes what a script returns

---@class tw.Context
---@field reason "start"|"reload"|"respawn"|"shutdown"

---@class tw.Accept
---@field user string|number|nil who this is
---@field info any? about the user, as JSON; read it as conn.info
---@field subprotocol string? one of req.protocols
---@field expires number? seconds; the connection is closed then

---@class tw.Refuse
---@field status integer 400 to 599
---@field reason string?

---@class tw.Rate
---@field messages number? a second
---@field bytes number? a second
---@field burst number? messages that may come at once (bytes, where only bytes are limited)
---@field over "close"|"drop"|"wait"|nil what happens beyond; "close"

---@class tw.Drain
---@field spread number? seconds over which connections are closed; 5
---@field code integer? close code; 1012

---@class tw.UserConnections
---@field max integer
---@field over "oldest"|"newest"|nil which is closed beyond it; "oldest"

---@class tw.Slow
---@field channel string
---@field queued number bytes
---@field dropped number deliveries dropped or conflated since the last report

---@class tw.AppConfig
---@field wire "raw"?
---@field ping number? seconds of silence before a ping; 30
---@field idle number? seconds of silence before a close; 60
---@field max_message integer? bytes; 65536
---@field origins string[]? patterns of origins; same origin when absent
---@field rate tw.Rate?
---@field errors "close"|"ignore"|nil what a raising hook costs its connection
---@field deflate "shared"|"off"|false|nil permessage-deflate; "shared" when absent
---@field drain tw.Drain?
---@field user_connections tw.UserConnections? how many of one user there may be
---@field version number|string|nil of what save() and conn.state look like
---@field on_upgrade (async fun(req: tw.Request): true|tw.Accept|nil, tw.Error|tw.Refuse|string|nil)?
---@field on_open (async fun(conn: tw.Conn, req: tw.Request): any, tw.Error|string|nil)?
---@field on_message (async fun(conn: tw.Conn, msg: tw.Message): any, tw.Error|string|nil)?
---@field on_close (async fun(conn: tw.Conn, code: integer, reason: string))?
---@field on_slow (async fun(conn: tw.Conn, info: tw.Slow))?
---@field on_alarm (async fun(conn: tw.Conn, name: string))?
---@field on_recover_fail (async fun(conn: tw.Conn, channel: string, since: tw.Position?))?
---@field on_unsubscribe (async fun(conn: tw.Conn, channel: string, reason: "unsubscribed"|"remote"|"failed"|"closed"))?
---@field on_start (async fun(ctx: tw.Context))?
---@field on_stop (async fun(ctx: tw.Context))?
---@field save (fun(): any)?
---@field restore fun(saved: any, version: number|string|nil)?
---@field migrate (fun(state: table, version: number|string|nil): table)?

--- Hooks and settings of an application. While loading only.
---@param config tw.AppConfig
---@return tw.App
function tw.app(config) end

---@alias tw.Handler async fun(req: tw.Request): integer, string|table|nil, table<string, string|number|string[]>|nil

--- Which path leads to what: "/chat", "/doc/:id", "/*", "POST /hook" (functions
--- only). The most specific pattern wins. While loading only.
---@param routes table<string, tw.App|tw.Static|tw.Handler>
---@return tw.Routes
function tw.routes(routes) end

--- The files of a folder, for a pattern that ends in "*".
---@param folder string relative to the script's folder
---@return tw.Static
function tw.static(folder) end

--------------------------------------------------------------------------------
-- Request, connection, message
--------------------------------------------------------------------------------

--- Valid until its hook returns, through waits too.
---@class tw.TlsNames
---@field dns string[]
---@field ip string[]
---@field email string[]
---@field uri string[]

---@class tw.TlsClient
---@field subject string "CN=ann,O=Example"
---@field issuer string
---@field common_name string?
---@field serial string hexadecimal
---@field fingerprint string SHA-256, hexadecimal
---@field not_before number seconds since 1970
---@field not_after number
---@field names tw.TlsNames what it is called besides, each list may be empty

---@class tw.Tls
---@field version string "TLSv1.3"
---@field cipher string
---@field server_name string?
---@field resumed boolean
---@field client tw.TlsClient? when the client showed a certificate

---@class tw.Request
---@field method string
---@field path string percent-decoded
---@field params table<string, string> what ":name" and "*" stood for
---@field query table<string, string> the last value of a repeated key
---@field headers table<string, string> names in lower case
---@field cookies table<string, string>
---@field ip string
---@field body string
---@field protocols string[] subprotocols offered
---@field tls tw.Tls? nil when it came unencrypted
local Request = {}

--- The body as a table.
---@return table? value
---@return tw.Error? err
function Request:json() end

--- Valid until its hook returns, through waits too; `#msg` is its length.
---@class tw.Message
---@field data string made when asked for
---@field binary boolean
---@field offset integer? its place in the channel; only in tw.subscribe
---@field key string? only in tw.subscribe
---@operator len: integer
local Message = {}

--- The message as a table; a scalar at top level is an error.
---@return table? value
---@return tw.Error? err
function Message:json() end

--- A copy that stays valid.
---@return tw.Message
function Message:keep() end

---@class tw.SendOptions
---@field binary boolean?

--- Where a channel stands, or somebody in it. Both fields belong together: hand
--- them to a client, and take both back.
---@class tw.Position
---@field epoch string changes whenever offsets begin anew; "" without history
---@field offset integer of the newest publication, from 1; 0 without any

---@class tw.SubscribeOptions
---@field since tw.Position? what came behind it is sent first
---@field last integer? the newest so many are sent first; with `since`: when that is of no use
---@field info table|string|nil about this subscriber, for presence; a table as JSON

---@class tw.Subscription: tw.Position
---@field recovered boolean `since` was named, and all behind it is sent
---@field count integer publications that are sent before live ones

--- One handle per connection and worker, so `==` works. When the connection
--- has closed, methods answer nil and an error "closed"; `id` stays.
---@class tw.Conn
---@field id string unique in the cluster, never used again
---@field user string?
---@field info any
---@field ip string
---@field subprotocol string?
---@field state table yours within this connection's hooks; goes over reloads
local Conn = {}

---@param data tw.Data
---@param options tw.SendOptions?
---@return true? ok
---@return tw.Error? err
function Conn:send(data, options) end

--- What was sent before leaves before.
---@param code integer? 1000
---@param reason string?
---@return true? ok
---@return tw.Error? err
function Conn:close(code, reason) end

--- Waits until the channel's home has confirmed: nothing that is published
--- after that is missed.
---@async
---@param channel string
---@param options tw.SubscribeOptions?
---@return tw.Subscription? subscription
---@return tw.Error? err
function Conn:subscribe(channel, options) end

--- Nothing of the channel is queued after it returns.
---@param channel string
---@return true? ok
---@return tw.Error? err
function Conn:unsubscribe(channel) end

---@return string[]? channels
---@return tw.Error? err
function Conn:channels() end

---@param channel string
---@return boolean
function Conn:subscribed(channel) end

--- Bytes that wait to be written.
---@return number? bytes
---@return tw.Error? err
function Conn:queued() end

--- Sets the user, once.
---@param user string
---@param info any
---@return true? ok
---@return tw.Error? err
function Conn:login(user, info) end

--- on_alarm(conn, name) after some seconds; again moves it, nil drops it. Kept
--- through reloads.
---@param seconds number?
---@param name string? "alarm"
---@return true? ok
---@return tw.Error? err
function Conn:alarm(seconds, name) end

---@class tw.ConnLimit
---@field rate number? messages a second
---@field bytes number? the same in bytes
---@field burst number? how many may come at once
---@field over "close"|"drop"|"wait"? "close"

--- What it may send, in the place of the app's rate; nil: the app's again.
---@param options tw.ConnLimit?
---@return true? ok
---@return tw.Error? err
function Conn:limit(options) end

--------------------------------------------------------------------------------
-- Channels
--------------------------------------------------------------------------------

---@class tw.Member
---@field id string of the member's first connection
---@field user string? nil: a connection without a user
---@field info any what conn:subscribe was given
---@field connections integer

---@class tw.Change
---@field joined tw.Member[]
---@field left tw.Member[]
---@field count integer members that there are now
---@field reset true? changes may be missing: ask for the list anew

--- Words a change for this worker's subscribers; nil says nothing. May not wait.
---@alias tw.Tell fun(channel: string, change: tw.Change): tw.Data?, tw.SendOptions?

---@class tw.ChannelClass
---@field slow "close"|"drop_new"|"drop_old"|"conflate"|"resync"|nil what happens to a subscriber whose queue is full
---@field batch number? seconds to gather before writing
---@field history integer? publications kept for recovery
---@field ttl number? seconds that they, and retained ones, are kept
---@field retain integer? keys of which the newest publication is kept
---@field presence "count"|"list"|"events"|nil what is known of who is there
---@field tell tw.Tell? with presence = "events"

--- Declares classes: "room:*" or a whole name; the longest literal prefix wins.
--- While loading only.
---@param classes table<string, tw.ChannelClass>
function tw.channels(classes) end

---@class tw.PublishOptions
---@field binary boolean?
---@field except tw.Conn? does not get it
---@field key string? of what a `conflate` or `retain` channel keeps the newest
---@field ttl number? seconds
---@field id string? the same within five minutes is not published again
---@field wait boolean? waits for the position
---@field history boolean? false: passes by the history

--- To all subscribers on all workers. True: accepted by this worker. With
--- `wait` (then it waits) the publication's position.
---@param channel string
---@param data tw.Data
---@param options tw.PublishOptions?
---@return true|tw.Position|nil ok
---@return tw.Error? err
function tw.publish(channel, data, options) end

---@class tw.HistoryOptions
---@field since tw.Position? what came behind it; with `reverse` before it
---@field limit integer? 100; at most 1000
---@field reverse boolean? the newest first

---@class tw.Entry
---@field offset integer
---@field data string
---@field binary boolean
---@field key string?

---@class tw.History: tw.Position
---@field publications tw.Entry[]
---@field recovered boolean `since` is of this epoch, and nothing is missing at its end

---@class tw.Presence
---@field members tw.Member[]
---@field count integer members; 0 where the class only counts connections
---@field connections integer

---@class tw.Channel
---@field name string
local Channel = {}

--- Subscribers on all workers.
---@async
---@return integer? count
---@return tw.Error? err
function Channel:count() end

--- What the channel keeps, the oldest first.
---@async
---@param options tw.HistoryOptions?
---@return tw.History? history
---@return tw.Error? err
function Channel:history(options) end

--- What a channel with `retain` keeps of a key; nil without an error: nothing.
---@async
---@param key string? ""
---@return tw.Entry? entry
---@return tw.Error? err
function Channel:latest(key) end

--- Forgets it; subscribers are not told.
---@param key string? ""
---@return true? ok
---@return tw.Error? err
function Channel:remove(key) end

--- Who is there: at most `limit` (100, at most 1000) members, a sample when
--- there are more.
---@async
---@param options { limit: integer? }?
---@return tw.Presence? presence
---@return tw.Error? err
function Channel:presence(options) end

---@param name string
---@return tw.Channel
function tw.channel(name) end

---@class tw.Listener
local Listener = {}

--- What waits is dropped; a run under way goes on.
function Listener:cancel() end

--- Calls fn with every publication of the channel, in every worker that says
--- this: one at a time, in order. Made while loading, it begins with the
--- generation.
---@param channel string
---@param fn async fun(msg: tw.Message, channel: string)
---@return tw.Listener? sub
---@return tw.Error? err
function tw.subscribe(channel, fn) end

--------------------------------------------------------------------------------
-- Users and connections elsewhere
--------------------------------------------------------------------------------

--- A connection on whichever worker. What is done to one that has closed does
--- nothing. Two handles of one connection are equal.
---@class tw.RemoteConn
---@field id string
---@field node string? what follows is there when user:connections() found it
---@field slot integer? its worker
---@field ip string?
---@field opened number? seconds since 1970
---@field idle number? seconds since something was heard from it
local RemoteConn = {}

---@param data tw.Data
---@param options tw.SendOptions?
---@return true? ok
---@return tw.Error? err
function RemoteConn:send(data, options) end

---@param code integer? 1000
---@param reason string?
---@return true? ok
---@return tw.Error? err
function RemoteConn:close(code, reason) end

---@param channel string
---@return true? ok
---@return tw.Error? err
function RemoteConn:subscribe(channel) end

---@param channel string
---@return true? ok
---@return tw.Error? err
function RemoteConn:unsubscribe(channel) end

---@param id string as conn.id
---@return tw.RemoteConn
function tw.conn(id) end

--- All connections of a user.
---@class tw.User
---@field id string
local User = {}

--- Published to the channel "user:<id>" where a class for it is declared, so
--- that it can be kept for those who are away; otherwise to those who are there.
---@param data tw.Data
---@param options tw.PublishOptions?
---@return true|tw.Position|nil ok
---@return tw.Error? err
function User:send(data, options) end

---@async
---@return tw.RemoteConn[]? connections oldest first
---@return tw.Error? err
function User:connections() end

---@param channel string
---@return true? ok
---@return tw.Error? err
function User:subscribe(channel) end

---@param channel string
---@return true? ok
---@return tw.Error? err
function User:unsubscribe(channel) end

---@param code integer? 1000
---@param reason string?
---@return true? ok
---@return tw.Error? err
function User:disconnect(code, reason) end

---@param id string|number as conn.user
---@return tw.User
function tw.user(id) end

--------------------------------------------------------------------------------
-- Shared by all workers
--------------------------------------------------------------------------------

---@alias tw.Kept string|number|boolean|table

--- A dictionary in memory that all workers share. An error "overloaded" says
--- that its lock was busy and nothing was done.
---@class tw.Dict
local Dict = {}

---@param key string
---@return tw.Kept? value
---@return tw.Error? err
function Dict:get(key) end

---@param key string
---@param value tw.Kept
---@param ttl number? seconds
---@return true? ok
---@return tw.Error? err
function Dict:set(key, value, ttl) end

--- Only where there is none; otherwise an error "exists".
---@param key string
---@param value tw.Kept
---@param ttl number? seconds
---@return true? ok
---@return tw.Error? err
function Dict:add(key, value, ttl) end

---@param key string
---@param n number? 1
---@param init number? 0: where it begins
---@param ttl number? seconds, when it begins
---@return number? value
---@return tw.Error? err
function Dict:incr(key, n, init, ttl) end

--- Puts what fn makes of the value in its place; fn runs again when somebody
--- else was faster. It returns the new value and maybe a ttl; nil removes the
--- entry; nil and an error leave it.
---@async
---@param key string
---@param fn async fun(value: tw.Kept?): tw.Kept?, any
---@return tw.Kept? value
---@return any err
function Dict:update(key, fn) end

---@param key string
---@return boolean? was_there
---@return tw.Error? err
function Dict:delete(key) end

---@param limit integer? 1000
---@return string[]? keys
---@return tw.Error? err
function Dict:keys(limit) end

---@return true? ok
---@return tw.Error? err
function Dict:flush() end

---@class tw.DictOptions
---@field bytes integer? 4 MiB

---@param name string
---@param options tw.DictOptions?
---@return tw.Dict dict
---@return tw.Error? err in a hook: there is no memory for it
function tw.dict(name, options) end

---@class tw.LimitOptions
---@field rate number how many a second
---@field burst number? how many at once; as many as in a second

--- Takes one; otherwise an error "limit" with retry_after, in seconds.
---@param key string
---@param options tw.LimitOptions
---@return true? ok
---@return tw.Error? err
function tw.limit(key, options) end

---@class tw.RedisPipeline
local RedisPipeline = {}

---@param command string
---@param ... string|number|boolean
function RedisPipeline:call(command, ...) end

---@class tw.Redis
---@field name string
local Redis = {}

--- Waits. Nothing is nil without an error, and false within a table.
---@param command string
---@param ... string|number|boolean
---@return string|number|table|nil value
---@return tw.Error? err
function Redis:call(command, ...) end

--- Waits. An error that Redis answers with is one of the results.
---@param fn fun(p: tw.RedisPipeline)
---@return (string|number|boolean|table)[]? results
---@return tw.Error? err
function Redis:pipeline(fn) end

--- A Redis server of the configuration.
---@param name string? "main"
---@return tw.Redis redis
function tw.redis(name) end

--------------------------------------------------------------------------------
-- Time and tasks
--------------------------------------------------------------------------------

---@class tw.Timer
local Timer = {}

--- No further tick; a run under way goes on.
function Timer:cancel() end

--- Once. Made while loading, it starts with the generation.
---@param seconds number
---@param fn async fun()
---@return tw.Timer
function tw.after(seconds, fn) end

---@class tw.EveryOptions
---@field name string? unique; keeps the beat over a reload
---@field once "server"? in one worker of the server only; needs a name
---@field jitter number? seconds by which a tick may be late, at random

--- Again and again; never overlaps itself, missed ticks are skipped.
---@param seconds number
---@param fn async fun()
---@param options tw.EveryOptions?
---@return tw.Timer
function tw.every(seconds, fn, options) end

---@async
---@param seconds number
---@return true? ok
---@return tw.Error? err
function tw.sleep(seconds) end

--- Seconds since 1970.
---@return number
function tw.now() end

--- Seconds on a clock that is never set.
---@return number
function tw.clock() end

---@class tw.Task
local Task = {}

--- What the function returned (15 values at most). A failure is raised; a
--- cancelled task gives nil and an error "closed".
---@async
---@return any ...
function Task:wait() end

---@return boolean cancelled false when it had ended
function Task:cancel() end

--- Runs the function by itself, from the next turn on.
---@param fn async fun(): ...
---@return tw.Task
function tw.spawn(fn) end

--- Runs all of them and waits: the first result of each, in order. When one
--- fails the others are cancelled and its failure is raised.
---@async
---@param ... async fun(): any
---@return any ...
function tw.all(...) end

--------------------------------------------------------------------------------
-- Facts
--------------------------------------------------------------------------------

---@class tw.Figures
---@field connections number
---@field messages_in number
---@field messages_out number
---@field deliveries number
---@field publications number

---@class tw.WorkerStats: tw.Figures
---@field slot integer
---@field pid integer 0 when it does not run
---@field generation integer
---@field uptime number seconds
---@field cpu_seconds number
---@field memory_bytes number

---@class tw.Stats: tw.Figures
---@field workers tw.WorkerStats[]

---@async
---@return tw.Stats? stats
---@return tw.Error? err
function tw.stats() end

---@class tw.Node
---@field id string
tw.node = {}

--- The slot of this worker, from 0.
---@type integer
tw.worker = 0

--- Grows with each reload.
---@type integer
tw.generation = 1

tw.config = {}

--- A value of the configuration's `config` table.
---@param key string
---@param default any
---@return any
function tw.config.get(key, default) end

tw.file = {}

--- A file that the configuration grants to scripts, at most 1 MiB.
---@param path string
---@return string? content
---@return tw.Error? err
function tw.file.read(path) end

--------------------------------------------------------------------------------
-- Log, JSON, text, errors
--------------------------------------------------------------------------------

--- Connection, user and generation are added.
tw.log = {}

---@param message string
---@param fields table<string, any>?
function tw.log.debug(message, fields) end

---@param message string
---@param fields table<string, any>?
function tw.log.info(message, fields) end

---@param message string
---@param fields table<string, any>?
function tw.log.warn(message, fields) end

---@param message string
---@param fields table<string, any>?
function tw.log.error(message, fields) end

---@class tw.json.Raw JSON that is ready

tw.json = {}

--- Integers are exact to 2^53. What JSON cannot say raises.
---@param value any
---@return string json
function tw.json.encode(value) end

---@param json string
---@param options { scalars: boolean? }? scalars = false: only objects and arrays
---@return any value
---@return tw.Error? err
function tw.json.decode(json, options) end

--- Marks ready-made JSON, so that it is not encoded again.
---@param json string
---@return tw.json.Raw
function tw.json.raw(json) end

--- Marks a table as an array: an empty one stays `[]`.
---@generic T: table
---@param list T?
---@return T
function tw.json.array(list) end

---@type any
tw.json.null = nil

---@class tw.http.Options
---@field headers table<string, string|number|(string|number)[]>?
---@field query table<string, string|number|boolean|(string|number|boolean)[]>?
---@field timeout number? Seconds for all of it: 10.
---@field connect number? Seconds to connect: 5.
---@field max_body integer? Bytes of the answer: 1 MiB.
---@field redirects integer? How many are followed: none.

---@class tw.http.Request: tw.http.Options
---@field url string
---@field method string? "GET"
---@field body tw.Data?

---@class tw.http.Response
---@field status integer
---@field headers table<string, string> Names in lower case.
---@field body string
local Response = {}

---@return table? value
---@return tw.Error? err
function Response:json() end

tw.http = {}

--- Waits. Any status is an answer.
---@param url string
---@param options tw.http.Options?
---@return tw.http.Response? res
---@return tw.Error? err
function tw.http.get(url, options) end

--- Waits.
---@param url string
---@param body tw.Data?
---@param options tw.http.Options?
---@return tw.http.Response? res
---@return tw.Error? err
function tw.http.post(url, body, options) end

--- Waits.
---@param options tw.http.Request
---@return tw.http.Response? res
---@return tw.Error? err
function tw.http.request(options) end

tw.utf8 = {}

---@param s string
---@return boolean
function tw.utf8.valid(s) end

--- In characters; nil and a position when it is not UTF-8.
---@param s string
---@return integer? length
---@return integer? position
function tw.utf8.len(s) end

--- By characters, negative ones from the end.
---@param s string
---@param i integer
---@param j integer?
---@return string
function tw.utf8.sub(s, i, j) end

---@param code tw.ErrorCode|string
---@param message string?
---@param fields table?
---@return tw.Error
function tw.error(code, message, fields) end

--------------------------------------------------------------------------------
-- Metrics
--------------------------------------------------------------------------------

---@alias tw.LabelValue string|number|boolean

---@class tw.CounterOptions
---@field help string?
---@field max integer? series in the whole server, 100 by default

---@class tw.GaugeOptions: tw.CounterOptions
---@field over "sum"|"max"|"min"|"each"|nil what all workers together are

---@class tw.HistogramOptions: tw.CounterOptions
---@field buckets number[]? upper bounds, rising

---@class tw.Counter
local Counter = {}

---@param n number? 1
---@param ... tw.LabelValue one for each label
---@return true? ok
---@return tw.Error? err
function Counter:inc(n, ...) end

---@class tw.Gauge
local Gauge = {}

---@param value number
---@param ... tw.LabelValue one for each label
---@return true? ok
---@return tw.Error? err
function Gauge:set(value, ...) end

---@param n number
---@param ... tw.LabelValue one for each label
---@return true? ok
---@return tw.Error? err
function Gauge:add(n, ...) end

---@class tw.Histogram
local Histogram = {}

---@param value number
---@param ... tw.LabelValue one for each label
---@return true? ok
---@return tw.Error? err
function Histogram:observe(value, ...) end

tw.metric = {}

---@param name string
---@param labels string[]?
---@param options tw.CounterOptions?
---@return tw.Counter
function tw.metric.counter(name, labels, options) end

---@param name string
---@param labels string[]?
---@param options tw.GaugeOptions?
---@return tw.Gauge
function tw.metric.gauge(name, labels, options) end

---@param name string
---@param labels string[]?
---@param options tw.HistogramOptions?
---@return tw.Histogram
function tw.metric.histogram(name, labels, options) end

--------------------------------------------------------------------------------
-- Tokens and cryptography
--------------------------------------------------------------------------------

---@class tw.KeySource a file or an address
---@field file string? a file that the configuration grants to scripts
---@field url string? https://...; the call waits until what is there has come
---@field insecure boolean? http is good enough

---@class tw.KeySecret
---@field secret string|tw.KeySource

---@class tw.JwtError: tw.Error
---@field reason "malformed"|"algorithm"|"key"|"signature"|"expired"|"early"|"issuer"|"audience"|"claim"|nil

---@class tw.JwtOptions exactly one of secret, key, keys and jwks
---@field secret (string|tw.KeySource)? at least 32 bytes: HS256
---@field key (string|tw.KeySource)? a public key or certificate as PEM: RS256 or ES256
---@field keys table<string, string|tw.KeySource|tw.KeySecret>? by the token's kid
---@field jwks (string|table|tw.KeySource)? a set of keys, as JSON or as its table
---@field algorithms ("HS256"|"RS256"|"ES256")[]? only these
---@field iss (string|string[])? the issuer, or one of several
---@field aud (string|string[]|false)? who we are; false takes tokens for any audience
---@field require string[]? claims that must be there
---@field max_age number? seconds since iat
---@field leeway number? seconds by which clocks may differ, 5 by default
---@field max_bytes integer? of the token, 8192 by default
---@field now number? seconds since 1970, instead of the clock's

tw.jwt = {}

--- The claims of a signed token. A token of nil is refused like a bad one.
---@param token string?
---@param options tw.JwtOptions
---@return table? claims
---@return tw.JwtError? err
function tw.jwt.verify(token, options) end

---@alias tw.BytesAs "hex"|"base64"|"base64url"

tw.crypto = {}

--- 32 bytes, or text.
---@param data string
---@param options { as: tw.BytesAs? }?
---@return string? digest
---@return tw.Error? err
function tw.crypto.sha256(data, options) end

---@param key string
---@param data string
---@param options { hash: "sha256"|"sha384"|"sha512"|"sha1"|nil, as: tw.BytesAs? }?
---@return string? mac
---@return tw.Error? err
function tw.crypto.hmac(key, data, options) end

--- Bytes that nobody can foresee.
---@param n integer 1 to 65536
---@param options { as: tw.BytesAs? }?
---@return string? bytes
---@return tw.Error? err
function tw.crypto.random(n, options) end

--- In a time that does not tell where they differ; nil is equal to nothing.
---@param a string?
---@param b string?
---@return boolean
function tw.crypto.equal(a, b) end

---@param data string
---@return string text in lower case
function tw.crypto.to_hex(data) end

---@param text string
---@return string? data
---@return tw.Error? err
function tw.crypto.from_hex(text) end

---@param data string
---@return string text
function tw.crypto.to_base64(data) end

---@param text string with its padding
---@return string? data
---@return tw.Error? err
function tw.crypto.from_base64(text) end

---@param data string
---@return string text without padding
function tw.crypto.to_base64url(data) end

---@param text string with or without padding
---@return string? data
---@return tw.Error? err
function tw.crypto.from_base64url(text) end

return tw
