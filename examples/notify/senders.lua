-- senders.lua - which backend a request comes from, and how it hears of what
-- was read.
--
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"

local M = {}

---@class sender
---@field key string
---@field receipts string? a URL
---@type table<string, sender>
local senders = tw.config.get("senders", {})

local ATTEMPTS = 5

--- The name of the sender whose key the request shows. Every key is compared,
--- and each in a time that does not tell where it differs.
---@param req tw.Request
---@return string? name
function M.of(req)
    local shown = (req.headers.authorization or ""):match "^Bearer (.+)$"
    local found
    for name, sender in pairs(senders) do
        if tw.crypto.equal(shown, sender.key) then
            found = name
        end
    end
    return found
end

-- Whether it has arrived, or will never be wanted.
---@param res tw.http.Response?
---@return boolean
local function is_settled(res)
    return res ~= nil and res.status < 500 and res.status ~= 429
end

-- The signature says that it comes from here: only the two of us have the key.
---@param name string
---@param sender sender
---@param receipt table
local function tell(name, sender, receipt)
    local body = tw.json.encode(receipt)
    local headers = {
        ["Content-Type"] = "application/json",
        ["X-Signature"] = "sha256=" .. tw.crypto.hmac(sender.key, body, { as = "hex" }),
    }
    for attempt = 1, ATTEMPTS do
        local res, err = tw.http.post(sender.receipts, body, { headers = headers, timeout = 5 })
        if is_settled(res) then
            return
        end
        tw.log.warn("a receipt was not taken", {
            sender = name,
            attempt = attempt,
            error = err and tostring(err) or res.status,
        })
        tw.sleep(2 ^ attempt * (0.5 + math.random() / 2))
    end
end

--- Tells a sender what was read, if it wants to hear. Waits for nothing: a task
--- tries several times. What is lost when its worker dies, or the script is
--- reloaded meanwhile, the sender finds out by asking.
---@param name string
---@param receipt table
function M.tell(name, receipt)
    local sender = senders[name]
    if sender and sender.receipts then
        tw.spawn(function()
            tell(name, sender, receipt)
        end)
    end
end

return M
