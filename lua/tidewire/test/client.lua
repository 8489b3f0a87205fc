-- client.lua - a WebSocket client of a test. SPDX-License-Identifier: MIT
local json = require("tidewire").json
local match = require "tidewire.test.match"
local options_of = require "tidewire.test.options"

local M = {}

local TEXT, BINARY = 1, 2
local FRAMES_SHOWN = 5

local Client = {}
Client.__index = Client

---@return table client
function M.new(server, id, worker, headers, settle)
    return setmetatable({
        worker = worker,
        headers = headers,
        subprotocol = headers["sec-websocket-protocol"],
        _server = server,
        _id = id,
        _settle = settle,
        _frames = {},
    }, Client)
end

--------------------------------------------------------------------------------
-- Frames
--------------------------------------------------------------------------------

local function decode(frame)
    if frame.is_binary or not frame.data:find "^%s*[%[{]" then
        return frame.data
    end
    local value = json.decode(frame.data)
    return value == nil and frame.data or value
end

-- Moves what has come here; the list of it, oldest first.
local function take_in(self)
    local server, frames = self._server, self._frames
    while true do
        local data, is_binary = server._native.next(server._world, self._id)
        if not data then
            return frames
        end
        local frame = { data = data, is_binary = is_binary }
        frame.value = decode(frame)
        frames[#frames + 1] = frame
    end
end

local function list_frames(frames)
    local lines = {}
    for i = 1, math.min(#frames, FRAMES_SHOWN) do
        lines[i] = "    " .. match.show(frames[i].value)
    end
    if #frames > FRAMES_SHOWN then
        lines[#lines + 1] = ("    and %d more"):format(#frames - FRAMES_SHOWN)
    end
    return table.concat(lines, "\n")
end

-- state, close code, close reason
local function status(self)
    local server = self._server
    return server._native.status(server._world, self._id)
end

local function describe_status(self)
    local _, code, reason = status(self)
    if not code then
        return "the connection is open"
    end
    return ("the connection was closed with %d%s"):format(code, reason ~= "" and " (" .. reason .. ")" or "")
end

--- A text is sent as it is, anything else as JSON.
---@param data any
---@param options table?
function Client:send(data, options)
    options = options_of.check("c:send", options, { "binary" })
    local server = self._server
    if data == nil then
        error("c:send: there is nothing to send", 2)
    elseif not self:is_open() then
        error("c:send: " .. describe_status(self), 2)
    end
    local text = type(data) == "string" and data or json.encode(data)
    server._native.send(server._world, self._id, options.binary and BINARY or TEXT, text)
    self._settle(server)
end

-- What is different, as a text; nil: it is what was expected.
local function compare(frame, expected)
    local value = frame.value
    if type(expected) == "string" then
        value = frame.data
    elseif type(value) == "string" and (type(expected) == "number" or type(expected) == "boolean") then
        value = json.decode(frame.data, { scalars = true })
    end
    local differences = match.contains(value, expected)
    return #differences > 0 and match.tell(differences) or nil
end

--- The next frame contains `expected`.
---@param expected any
---@return any frame
function Client:expect(expected)
    self._settle(self._server)
    local frames = take_in(self)
    if not frames[1] then
        local text = "no frame came\n  expected: %s\n  %s"
        error(text:format(match.show(expected), describe_status(self)), 2)
    end
    local frame = table.remove(frames, 1)
    local difference = expected ~= nil and compare(frame, expected)
    if difference then
        local text = ("another frame came\n  expected: %s\n  got:      %s\n%s"):format(
            match.show(expected), match.show(frame.value), difference
        )
        if #frames > 0 then
            text = text .. "\n  and behind it:\n" .. list_frames(frames)
        end
        error(text, 2)
    end
    return frame.value
end

--- No further frame has come.
function Client:expect_none()
    self._settle(self._server)
    local frames = take_in(self)
    if #frames > 0 then
        error(("no frame was expected, %d came:\n%s"):format(#frames, list_frames(frames)), 2)
    end
end

--- The server has closed the connection.
---@param code integer?
---@param reason string?
---@return integer code
---@return string reason
function Client:expect_close(code, reason)
    self._settle(self._server)
    local frames = take_in(self)
    local _, came, why = status(self)
    if not came then
        error(("no close came%s"):format(#frames > 0 and ", but:\n" .. list_frames(frames) or ""), 2)
    elseif #frames > 0 then
        error(("before the close with %d came:\n%s"):format(came, list_frames(frames)), 2)
    elseif (code and code ~= came) or (reason and not why:find(reason, 1, true)) then
        local wanted = ("%s%s"):format(code or "any code", reason and " (" .. reason .. ")" or "")
        error(("another close came\n  expected: %s\n  got:      %d (%s)"):format(wanted, came, why), 2)
    end
    return came, why
end

--- The next frame, or nil.
---@return any frame
function Client:receive()
    self._settle(self._server)
    local frame = table.remove(take_in(self), 1)
    return frame and frame.value
end

--- Forgets the frames that have come.
---@return integer count
function Client:skip()
    self._settle(self._server)
    local count = #take_in(self)
    self._frames = {}
    return count
end

--------------------------------------------------------------------------------
-- The connection
--------------------------------------------------------------------------------

---@return boolean
function Client:is_open()
    local state, code = status(self)
    return state == "open" and not code
end

--- The closing handshake.
---@param code integer?
---@param reason string?
function Client:close(code, reason)
    local server = self._server
    if self:is_open() then
        server._native.close(server._world, self._id, code or 1000, reason or "")
    end
    self._settle(server)
end

--- Is lost without a close frame.
function Client:drop()
    local server = self._server
    server._native.drop(server._world, self._id)
    self._settle(server)
end

local function pause(self, is_paused)
    local server = self._server
    server._native.pause(server._world, self._id, is_paused)
end

--- Reads no more.
function Client:pause()
    pause(self, true)
    self._settle(self._server)
end

--- Reads again.
function Client:resume()
    pause(self, false)
    self._settle(self._server)
end

return M
