-- proc.lua - reads what Linux tells in /proc.
--
-- Pure functions from a file's text to plain tables of numbers, so they can
-- be tried with any text. What a text does not contain is nil in the result:
-- kernels and containers differ in what they show.
--
-- SPDX-License-Identifier: MIT
local M = {}

---@class proc.cpu
---@field busy number ticks spent working since the machine started
---@field all number ticks in all

---@param fields string the numbers of a line of /proc/stat
---@return proc.cpu
local function cpu_times(fields)
    -- user nice system idle iowait irq softirq steal; what follows, the time
    -- of guests, is part of user and nice and must not count twice.
    local all, idle, column = 0, 0, 0
    for number in fields:gmatch("%d+") do
        column = column + 1
        if column > 8 then
            break
        end
        all = all + tonumber(number)
        if column == 4 or column == 5 then
            idle = idle + tonumber(number)
        end
    end
    return { busy = all - idle, all = all }
end

--- /proc/stat: the whole machine and each core.
---@param text string
---@return { total: proc.cpu?, cores: proc.cpu[] }
function M.cpu(text)
    local total, cores = nil, {}
    for core, fields in text:gmatch("cpu(%d*) +([%d ]+)\n") do
        if core == "" then
            total = cpu_times(fields)
        else
            cores[#cores + 1] = cpu_times(fields)
        end
    end
    return { total = total, cores = cores }
end

---@class proc.memory in bytes
---@field total number?
---@field used number?
---@field cached number?
---@field swap_total number?
---@field swap_used number?

--- /proc/meminfo.
---@param text string
---@return proc.memory
function M.memory(text)
    local kb = {}
    for name, value in text:gmatch("(%w+): +(%d+) kB") do
        kb[name] = tonumber(value)
    end
    local function difference(from, less)
        return from and less and (from - less) * 1024
    end
    return {
        total = kb.MemTotal and kb.MemTotal * 1024,
        -- Not MemFree: memory that only caches files is free for the asking.
        used = difference(kb.MemTotal, kb.MemAvailable),
        cached = kb.Cached and kb.Cached * 1024,
        swap_total = kb.SwapTotal and kb.SwapTotal * 1024,
        swap_used = difference(kb.SwapTotal, kb.SwapFree),
    }
end

-- Interfaces whose traffic is also seen on another one, or never leaves.
local INNER = { "^lo$", "^veth", "^docker", "^br%-", "^virbr", "^ifb" }

---@param name string
---@return boolean
local function is_inner(name)
    for i = 1, #INNER do
        if name:find(INNER[i]) then
            return true
        end
    end
    return false
end

--- /proc/net/dev: bytes received and sent since the machine started, and those
--- of the loopback interface apart.
---@param text string
---@return { received: number, sent: number, loopback: number }
function M.network(text)
    local received, sent, loopback = 0, 0, 0
    -- Received: bytes and seven more columns; then sent, bytes first.
    local line = "([^%s:]+): *(%d+) +%d+ +%d+ +%d+ +%d+ +%d+ +%d+ +%d+ +(%d+)"
    for name, rx, tx in text:gmatch(line) do
        if name == "lo" then
            loopback = tonumber(tx)
        elseif not is_inner(name) then
            received = received + tonumber(rx)
            sent = sent + tonumber(tx)
        end
    end
    return { received = received, sent = sent, loopback = loopback }
end

--- /proc/loadavg: the averages over 1, 5 and 15 minutes.
---@param text string
---@return number[]?
function M.load(text)
    local one, five, fifteen = text:match("^([%d.]+) ([%d.]+) ([%d.]+)")
    return one and { tonumber(one), tonumber(five), tonumber(fifteen) } or nil
end

--- /proc/uptime: seconds since the machine started.
---@param text string
---@return number?
function M.uptime(text)
    return tonumber((text:match("^[%d.]+")))
end

return M
