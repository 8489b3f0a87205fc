-- The smallest Tidewire application: whatever arrives goes back, text as text
-- and bytes as bytes. The message is handed on as it is, so its content never
-- becomes a Lua string.
--
--   tidewire examples/echo/app.lua --listen 127.0.0.1:9000 --workers 1
--   npx wscat --connect ws://127.0.0.1:9000/
--
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"

return tw.app {
    on_message = function(conn, msg)
        conn:send(msg)
    end,
}
