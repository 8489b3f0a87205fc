-- request.lua - HTTP requests as text, and their answers.
-- SPDX-License-Identifier: MIT
local json = require("tidewire").json
local options_of = require "tidewire.test.options"

local M = {}

M.CONNECT = { "path", "query", "token", "user", "info", "headers", "protocols", "ip", "worker" }
M.PLAIN = { "method", "path", "query", "headers", "body", "ip", "worker" }

--- A path stands for options with just that.
function M.options(what, options, names)
    if type(options) == "string" then
        return { path = options }
    end
    if options ~= nil and type(options) ~= "table" then
        error(("%s takes a table of options or a path, not a %s"):format(what, type(options)), 3)
    end
    local checked = options_of.check(what, options, names, 4)
    return checked
end

--------------------------------------------------------------------------------
-- Asking
--------------------------------------------------------------------------------

local function escape(text)
    return (tostring(text):gsub("[^%w%-._~]", function(c)
        return ("%%%02X"):format(c:byte())
    end))
end

local function add_query(path, query)
    local keys, parts = {}, {}
    for key in pairs(query or {}) do
        keys[#keys + 1] = key
    end
    table.sort(keys, function(a, b)
        return tostring(a) < tostring(b)
    end)
    for i, key in ipairs(keys) do
        parts[i] = escape(key) .. "=" .. escape(query[key])
    end
    if #parts == 0 then
        return path
    end
    return path .. (path:find("?", 1, true) and "&" or "?") .. table.concat(parts, "&")
end

local function has_header(headers, wanted)
    for name in pairs(headers or {}) do
        if name:lower() == wanted then
            return true
        end
    end
    return false
end

local function add_headers(lines, headers)
    for name, value in pairs(headers or {}) do
        lines[#lines + 1] = ("%s: %s"):format(name, tostring(value))
    end
end

local function text_of(lines, body)
    return table.concat(lines, "\r\n") .. "\r\n\r\n" .. (body or "")
end

function M.upgrade(options)
    local path = add_query(options.path or "/", options.query)
    if options.token then
        path = add_query(path, { token = options.token })
    end
    local lines = { ("GET %s HTTP/1.1"):format(path) }
    if not has_header(options.headers, "host") then
        lines[#lines + 1] = "Host: localhost"
    end
    lines[#lines + 1] = "Upgrade: websocket"
    lines[#lines + 1] = "Connection: Upgrade"
    lines[#lines + 1] = "Sec-WebSocket-Version: 13"
    lines[#lines + 1] = "Sec-WebSocket-Key: dGlkZXdpcmUtdGVzdC1rZQ=="
    if options.protocols then
        lines[#lines + 1] = "Sec-WebSocket-Protocol: " .. table.concat(options.protocols, ", ")
    end
    if options.token and not has_header(options.headers, "authorization") then
        lines[#lines + 1] = "Authorization: Bearer " .. options.token
    end
    add_headers(lines, options.headers)
    return text_of(lines)
end

function M.plain(options)
    local body = options.body
    local has_type = has_header(options.headers, "content-type")
    local is_json = body ~= nil and type(body) ~= "string"
    if is_json then
        body = json.encode(body)
    end
    local method = options.method or (body and "POST" or "GET")
    local lines = { ("%s %s HTTP/1.1"):format(method, add_query(options.path or "/", options.query)) }
    if not has_header(options.headers, "host") then
        lines[#lines + 1] = "Host: localhost"
    end
    lines[#lines + 1] = "Connection: close"
    if body then
        lines[#lines + 1] = "Content-Length: " .. #body
    end
    if is_json and not has_type then
        lines[#lines + 1] = "Content-Type: application/json"
    end
    add_headers(lines, options.headers)
    return text_of(lines, body)
end

--------------------------------------------------------------------------------
-- Being answered
--------------------------------------------------------------------------------

--- Status and headers, their names in lower case.
function M.parse(head)
    local headers = {}
    for line in head:gmatch "[^\r\n]+" do
        local name, value = line:match "^([^:%s]+):%s*(.-)%s*$"
        if name then
            name = name:lower()
            headers[name] = headers[name] and headers[name] .. ", " .. value or value
        end
    end
    return tonumber(head:match "^HTTP/%d%.%d (%d%d%d)") or 0, headers
end

local Response = {}
Response.__index = Response

--- As msg:json().
function Response:json()
    return json.decode(self.body)
end

function M.response(status, body, headers)
    return setmetatable({ status = status, body = body, headers = headers }, Response)
end

--- What an error's body says.
local function reason_of(body)
    local decoded = body:sub(1, 1) == "{" and json.decode(body)
    local inner = type(decoded) == "table" and decoded.error
    if type(inner) == "table" then
        return tostring(inner.message or inner.code or body)
    end
    return type(inner) == "string" and inner or body
end

function M.refusal(status, body, headers)
    local refusal = M.response(status, body, headers)
    refusal.reason = reason_of(body)
    return refusal
end

return M
