-- main.lua - what this server answers, and where.
--
-- Two applications and the folder with their pages. Edit any of these files
-- and run `tidewire reload`, or send the server SIGHUP: the connections that
-- are open stay open and speak to the new code from their next message on. If
-- a file does not load, the server tells file and line and keeps the old code.
--
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"

return tw.routes {
    ["/chat/ws"] = require "chat",
    ["/dashboard/ws"] = require "dashboard",
    ["/*"] = tw.static "www",
}
