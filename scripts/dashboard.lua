-- dashboard.lua - the machine and the server, as figures for every viewer.
-- Its page is www/dashboard/.
--
-- One timer on the whole server takes the figures and publishes them once;
-- however many people look on, nothing is measured or encoded again for them.
-- Each kind of figure has a key of its own, and the channel's class makes two
-- things of that. It retains the newest of each key: who opens the page sees
-- all figures at once, also those that come seldom. And it conflates: a viewer
-- who cannot keep up gets the newest of each, not a backlog of old ones.
--
-- The files under /proc must be granted to scripts in the configuration. One
-- that is not, or does not exist, only leaves its part of the sample out.
--
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"
local proc = require "lib.proc"

local CHANNEL = "metrics"
local INTERVAL = 1 -- seconds
local SELDOM = 5 -- beats; the kernel counts its load no more often

tw.channels {
    [CHANNEL] = { retain = 16, slow = "conflate", batch = 0.02 },
}

-- The last reading. What the kernel and the server count only ever grows, so
-- a rate needs two readings; this is the only thing that is remembered, and
-- save/restore hand it to the next generation.
local last

local beats = 0
local warned = {}

-- Reads one file. A file that cannot be read is told once, not each second.
---@generic T
---@param path string
---@param parse fun(text: string): T
---@return T?
local function read(path, parse)
    local text, err = tw.file.read(path)
    if text then
        return parse(text)
    end
    if not warned[path] then
        warned[path] = true
        tw.log.warn("left out of the dashboard", { path = path, error = tostring(err) })
    end
    return nil
end

-- Everything that only grows, and when it was read. Waits.
---@return table reading
local function take_reading()
    local stats = tw.stats() or {}
    return {
        at = tw.clock(),
        cpu = read("/proc/stat", proc.cpu),
        network = read("/proc/net/dev", proc.network),
        stats = stats,
    }
end

---@param value number?
---@return number?
local function tenths(value)
    return value and math.floor(value * 10 + 0.5) / 10
end

-- How much a second; nil without two values, and where a counter went back
-- because whatever counted has been started anew.
---@param now number?
---@param before number?
---@param seconds number
---@return number?
local function rate(now, before, seconds)
    if not now or not before or now < before or seconds <= 0 then
        return nil
    end
    return tenths((now - before) / seconds)
end

---@param now proc.cpu?
---@param before proc.cpu?
---@return number? percent
local function load_of(now, before)
    if not now or not before or now.all <= before.all then
        return nil
    end
    -- The kernel lets the idle time of a core go back by a tick at times.
    local share = (now.busy - before.busy) / (now.all - before.all)
    return tenths(100 * math.max(0, math.min(1, share)))
end

---@param now table? of a reading
---@param before table?
---@return table?
local function cpu_sample(now, before)
    if not now or not before then
        return nil
    end
    local cores = {}
    for i = 1, #now.cores do
        -- A core that has just come up has no history; it shows as idle.
        cores[i] = load_of(now.cores[i], before.cores[i]) or 0
    end
    return { total = load_of(now.total, before.total), cores = cores }
end

---@param now table? of a reading
---@param before table?
---@param seconds number
---@return table?
local function network_sample(now, before, seconds)
    if not now or not before then
        return nil
    end
    return {
        received = rate(now.received, before.received, seconds),
        sent = rate(now.sent, before.sent, seconds),
        loopback = rate(now.loopback, before.loopback, seconds),
    }
end

-- Rates of the counters that the server as a whole and each worker have.
---@param into table
---@param now table
---@param before table
---@param seconds number
---@return table into
local function add_rates(into, now, before, seconds)
    into.messages_in = rate(now.messages_in, before.messages_in, seconds)
    into.messages_out = rate(now.messages_out, before.messages_out, seconds)
    into.deliveries = rate(now.deliveries, before.deliveries, seconds)
    into.publications = rate(now.publications, before.publications, seconds)
    return into
end

---@param now table? of tw.stats()
---@param before table?
---@param seconds number
---@return table[]?
local function worker_samples(now, before, seconds)
    if not now then
        return nil
    end
    local earlier = {}
    for _, worker in ipairs(before or {}) do
        earlier[worker.slot] = worker
    end
    local samples = {}
    for i, worker in ipairs(now) do
        local was = earlier[worker.slot] or {}
        local cpu = rate(worker.cpu_seconds, was.cpu_seconds, seconds / 100)
        samples[i] = add_rates({
            slot = worker.slot,
            pid = worker.pid,
            generation = worker.generation,
            connections = worker.connections,
            uptime = worker.uptime and math.floor(worker.uptime),
            memory = worker.memory_bytes,
            cpu = cpu,
        }, worker, was, seconds)
    end
    return samples
end

-- Tells one kind of figure. What cannot be had is not told.
---@param kind string
---@param figures any
local function tell(kind, figures)
    if figures ~= nil then
        local message = { type = "figures", at = tw.now(), generation = tw.generation }
        message[kind] = figures
        tw.publish(CHANNEL, message, { key = kind })
    end
end

---@param now table a reading
---@param before table the one before
local function tell_all(now, before)
    local seconds = now.at - before.at
    if beats % SELDOM == 0 then
        tell("load", read("/proc/loadavg", proc.load))
        tell("uptime", read("/proc/uptime", proc.uptime))
    end
    beats = beats + 1
    tell("cpu", cpu_sample(now.cpu, before.cpu))
    tell("memory", read("/proc/meminfo", proc.memory))
    tell("network", network_sample(now.network, before.network, seconds))
    -- The last of a beat: with it the page has all of them.
    tell("server", add_rates({
        connections = now.stats.connections,
        workers = worker_samples(now.stats.workers, before.stats.workers, seconds),
    }, now.stats, before.stats, seconds))
end

local function tick()
    local reading = take_reading()
    if last then
        tell_all(reading, last)
    end
    last = reading
end

-- In slot 0 alone. The name lets the next generation go on in the same beat.
tw.every(INTERVAL, tick, { name = "dashboard", once = "server" })

return tw.app {
    version = 1, -- of what save() returns
    -- Viewers have nothing to say: there is no on_message.
    max_message = 1024,
    rate = { messages = 1, burst = 5, over = "close" },

    on_open = function(conn)
        local hello = { type = "hello", interval = INTERVAL, generation = tw.generation }
        local sent, err = conn:send(hello)
        if not sent then
            return nil, err
        end
        return conn:subscribe(CHANNEL)
    end,

    save = function()
        return { last = last }
    end,

    restore = function(saved)
        last = saved.last
    end,
}
