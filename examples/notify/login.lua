-- login.lua - who is at a browser: a signed token (JWT, HS256) in a cookie.
--
-- The handlers make tokens for whoever asks, which is for development. An
-- application with accounts makes them where people log in, with the same
-- secret, and nothing else changes.
--
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"
local notes = require "notes"

local M = {}

local COOKIE = "notify"
local ISSUER = "notify"
local LIFE = 3600 -- seconds; then the page asks to log in again

local secret = tw.config.get "secret"
local is_open = secret and tw.config.get("dev_login", false)

---@param value table
local function part(value)
    return tw.crypto.to_base64url(tw.json.encode(value))
end

---@param user string
---@return string token
local function make(user)
    local now = math.floor(tw.now())
    local claims = { iss = ISSUER, sub = user, iat = now, exp = now + LIFE }
    local text = part { alg = "HS256", typ = "JWT" } .. "." .. part(claims)
    return text .. "." .. tw.crypto.hmac(secret, text, { as = "base64url" })
end

--- Whose token the request brings, in the cookie or as a bearer.
---@param req tw.Request
---@return string? user
---@return number seconds for which it is valid, or 0
---@return string? reason
function M.user_of(req)
    if not secret then
        return nil, 0, "the secret is missing: see config.lua"
    end
    local bearer = (req.headers.authorization or ""):match "^Bearer (.+)$"
    local claims, err = tw.jwt.verify(bearer or req.cookies[COOKIE], {
        secret = secret,
        iss = ISSUER,
        require = { "sub", "exp" },
    })
    if not claims then
        return nil, 0, err.message
    elseif not notes.is_user(claims.sub) then
        return nil, 0, "that is no user"
    end
    return claims.sub, math.max(1, claims.exp - tw.now())
end

-- Only the server sees the cookie, and only pages of this site bring it along.
---@param req tw.Request
---@param value string
---@param seconds integer
local function cookie(req, value, seconds)
    local secure = req.tls and "; Secure" or ""
    local text = "%s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Strict%s"
    return { ["set-cookie"] = text:format(COOKIE, value, seconds, secure) }
end

---@param req tw.Request
function M.enter(req)
    if not is_open then
        return 404, { error = "log in where your account is" }
    end
    local ok, err = tw.limit("login:" .. req.ip, { rate = 5, burst = 20 })
    if not ok then
        return 429, { error = err.message }, { ["retry-after"] = math.ceil(err.retry_after or 1) }
    end
    local body = req:json()
    if not body or not notes.is_user(body.user) then
        return 400, { error = "A name has 1 to 64 letters, digits and . _ @ -" }
    end
    return 200, { user = body.user }, cookie(req, make(body.user), LIFE)
end

---@param req tw.Request
function M.leave(req)
    return 204, nil, cookie(req, "", 0)
end

---@param req tw.Request
function M.tell(req)
    local user, _, reason = M.user_of(req)
    return 200, {
        user = user or tw.json.null,
        error = reason,
        dev_login = is_open == true,
    }
end

return M
