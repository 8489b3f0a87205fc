-- An app whose hooks do what the query says: "/?hook=on_message&act=raise"
-- makes that hook of the connection raise. `n` names the cell; what is published
-- about it goes to "news" as "WHAT N".
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"

tw.channels { ["flood:*"] = { slow = "drop_new" } }

local conns = {}

-- Each gets the plan, and a connection where there is one; its result is that
-- of the hook.
local acts = {}

function acts.none()
    return true
end

function acts.raise()
    error "on purpose"
end

function acts.refuse()
    return nil, tw.error("denied", "on purpose")
end

function acts.close_self(_, conn)
    conn:close(4001, "self")
    return true
end

function acts.close_other(plan)
    conns[plan.other]:close(4002, "other")
    return true
end

function acts.publish(plan)
    assert(tw.publish("news", "published " .. plan.n))
    return true
end

-- Of a connection that has ended nothing is subscribed.
function acts.subscribe(plan, conn)
    local ok, err = conn:subscribe("own:" .. plan.n)
    tw.publish("news", "subscribed " .. plan.n .. " " .. (ok and "yes" or err.code))
    return true
end

-- Goes on when the test has reloaded and put the file there.
function acts.reload(plan)
    tw.publish("news", "waiting " .. plan.n)
    while tw.file.read(plan.gate) ~= plan.n do
        tw.sleep(0.01)
    end
    tw.publish("news", "finished " .. plan.n)
    return true
end

function acts.wait(plan)
    local _, err = tw.sleep(1e6)
    tw.publish("news", "waited " .. plan.n .. " " .. (err and err.code or "no end"))
    return true
end

-- In few steps: it must not run out of time before.
function acts.memory()
    local all = {}
    while true do
        all[#all + 1] = ("x"):rep(1000000) .. #all
    end
end

function acts.time()
    while true do
        acts.count = (acts.count or 0) + 1
    end
end

-- No tail call: the report is to name this file.
local function act(hook, plan, conn)
    if plan and plan.hook == hook then
        local result, err = acts[plan.act](plan, conn)
        return result, err
    end
    return true
end

local function plan_of(query)
    return { hook = query.hook, act = query.act, n = query.n, other = query.other, gate = query.gate }
end

local function on_upgrade(req)
    local ok, err = act("on_upgrade", plan_of(req.query))
    return ok, err
end

local function on_open(conn, req)
    conns[conn.id] = conn
    conn.state.plan = plan_of(req.query)
    if conn.state.plan.hook == "healthy" then
        local ok, err = conn:subscribe "news"
        if not ok then
            return nil, err
        end
    end
    local ok, err = act("on_open", conn.state.plan, conn)
    if ok then
        conn:send("open " .. conn.id)
    end
    return ok, err
end

-- What clients ask for: by it come the hooks that are not theirs to call.
local asked = {}

function asked.alarm(conn)
    conn:alarm(0.001, "due")
end

function asked.after(conn, plan)
    tw.after(0, function()
        act("tw.after", plan, conn)
    end)
end

function asked.spawn(conn, plan)
    tw.spawn(function()
        act("task", plan, conn)
    end)
end

function asked.drowse(conn, plan)
    return conn:subscribe("flood:" .. plan.n)
end

-- More than the kernel and the queue hold.
function asked.flood(_, _, n)
    local text = ("x"):rep(60000)
    for _ = 1, 16 do
        tw.publish("flood:" .. n, text)
    end
end

local function on_message(conn, msg)
    local what, n = msg.data:match "^!(%a+) ?(%d*)$"
    if what then
        asked[what](conn, conn.state.plan, n)
        conn:send("done " .. what)
        return
    end
    if msg.data == "go" then
        local ok, err = act("on_message", conn.state.plan, conn)
        return ok, err
    end
    conn:send(msg)
end

local function on_close(conn)
    conns[conn.id] = nil
    act("on_close", conn.state.plan, conn)
end

-- Once: the queue stays full.
local function on_slow(conn)
    local plan = conn.state.plan
    if not plan.is_over then
        plan.is_over = true
        act("on_slow", plan, conn)
    end
end

local function on_alarm(conn)
    act("on_alarm", conn.state.plan, conn)
end

local function handler(req)
    local ok, err = act("handler", plan_of(req.query))
    if not ok then
        return ok, err
    end
    return 200, "fine"
end

return tw.routes {
    ["/"] = tw.app {
        drain = { spread = 0 },
        ping = 1800,
        idle = 3600,
        on_upgrade = on_upgrade,
        on_open = on_open,
        on_message = on_message,
        on_close = on_close,
        on_slow = on_slow,
        on_alarm = on_alarm,
    },
    ["GET /run"] = handler,
}
