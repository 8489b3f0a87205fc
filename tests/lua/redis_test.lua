-- The small Redis of tests, lua/tidewire/test/redis.lua.
-- SPDX-License-Identifier: MIT
local t = require "tidewire.test"
local memory = require "tidewire.test.redis"

t.describe("the small Redis", function()
    local now, redis
    t.before_each(function()
        now = 1000
        redis = memory.new(function()
            return now
        end)
    end)

    -- Each line: what is called, and what comes back.
    local function check(lines)
        for i, line in ipairs(lines) do
            local value, err = redis(unpack(line[1]))
            if line.err then
                t.contains(err, line.err)
            elseif err or value ~= line[2] then
                t.equal(err or value, line[2])
            end
            assert(err == nil or line.err, ("line %d: %s"):format(i, tostring(err)))
        end
    end

    t.it("keeps strings", function()
        check {
            { { "GET", "a" }, nil },
            { { "SET", "a", "1" }, true },
            { { "GET", "a" }, "1" },
            { { "SET", "a", "2", "NX" }, nil },
            { { "SET", "b", "2", "XX" }, nil },
            { { "SETNX", "a", "3" }, 0 },
            { { "SETNX", "c", "3" }, 1 },
            { { "APPEND", "c", "4" }, 2 },
            { { "MSET", "x", "1", "y", "2" }, true },
            { { "MGET", "x", "nothing", "y" }, { "1", nil, "2", n = 3 } },
            { { "EXISTS", "x", "y", "z" }, 2 },
            { { "KEYS", "?" }, { "a", "c", "x", "y" } },
            { { "DEL", "x", "y", "z" }, 2 },
            { { "TYPE", "a" }, "string" },
            { { "TYPE", "z" }, "none" },
            { { "FLUSHDB" }, true },
            { { "KEYS", "*" }, {} },
        }
    end)

    t.it("counts", function()
        check {
            { { "INCR", "n" }, 1 },
            { { "INCRBY", "n", "10" }, 11 },
            { { "DECR", "n" }, 10 },
            { { "DECRBY", "n", "4" }, 6 },
            { { "GET", "n" }, "6" },
            { { "SET", "n", "x" }, true },
            { { "INCR", "n" }, err = "not an integer" },
            { { "INCRBY", "m", "1.5" }, err = "not an integer" },
        }
    end)

    t.it("forgets in time", function()
        check {
            { { "SET", "a", "1", "EX", "10" }, true },
            { { "SETEX", "b", "20", "1" }, true },
            { { "SET", "c", "1", "PX", "500" }, true },
            { { "SET", "d", "1" }, true },
            { { "EXPIRE", "d", "5" }, 1 },
            { { "EXPIRE", "nothing", "5" }, 0 },
            { { "TTL", "a" }, 10 },
            { { "PTTL", "c" }, 500 },
            { { "TTL", "nothing" }, -2 },
        }
        now = now + 5
        check {
            { { "EXISTS", "a", "b", "c", "d" }, 2 },
            { { "TTL", "a" }, 5 },
            { { "PERSIST", "a" }, 1 },
            { { "TTL", "a" }, -1 },
        }
        now = now + 100
        check { { { "KEYS", "*" }, { "a" } } }
    end)

    t.it("keeps hashes", function()
        check {
            { { "HSET", "h", "a", "1", "b", "2" }, 2 },
            { { "HSET", "h", "b", "3", "c", "4" }, 1 },
            { { "HGET", "h", "b" }, "3" },
            { { "HMGET", "h", "a", "x", "c" }, { "1", nil, "4", n = 3 } },
            { { "HGETALL", "h" }, { "a", "1", "b", "3", "c", "4" } },
            { { "HKEYS", "h" }, { "a", "b", "c" } },
            { { "HLEN", "h" }, 3 },
            { { "HEXISTS", "h", "a" }, 1 },
            { { "HINCRBY", "h", "a", "9" }, 10 },
            { { "HDEL", "h", "a", "b", "c", "d" }, 3 },
            { { "EXISTS", "h" }, 0 },
        }
    end)

    t.it("keeps lists", function()
        check {
            { { "RPUSH", "l", "a", "b", "c" }, 3 },
            { { "LPUSH", "l", "x", "y" }, 5 },
            { { "LRANGE", "l", "0", "-1" }, { "y", "x", "a", "b", "c" } },
            { { "LRANGE", "l", "-2", "100" }, { "b", "c" } },
            { { "LTRIM", "l", "0", "2" }, true },
            { { "LLEN", "l" }, 3 },
            { { "LPOP", "l" }, "y" },
            { { "RPOP", "l" }, "a" },
            { { "RPOP", "l" }, "x" },
            { { "RPOP", "l" }, nil },
            { { "EXISTS", "l" }, 0 },
        }
    end)

    t.it("keeps sets", function()
        check {
            { { "SADD", "s", "b", "a", "b" }, 2 },
            { { "SMEMBERS", "s" }, { "a", "b" } },
            { { "SISMEMBER", "s", "a" }, 1 },
            { { "SCARD", "s" }, 2 },
            { { "SREM", "s", "a", "b", "c" }, 2 },
            { { "EXISTS", "s" }, 0 },
        }
    end)

    t.it("says what is wrong, as Redis does", function()
        check {
            { { "SADD", "s", "a" }, 1 },
            { { "GET", "s" }, err = "WRONGTYPE" },
            { { "HSET", "h", "a" }, err = "syntax" },
            { { "GET" }, err = "wrong number of arguments" },
            { { "ZADD", "z", "1", "a" }, err = "unknown command 'ZADD'" },
            { { "PING" }, "PONG" },
        }
    end)
end)
