-- whiteboard - people draw together: who is where with their pen, and what they
-- have drawn. Strokes stay over a reload and over the death of any worker.
--
--   /b/:board    the page of a board
--   /ws/:board   its WebSocket; see board.lua
--
--   tidewire run examples/whiteboard/main.lua --config examples/whiteboard/config.lua
--
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"
local board = require "board"

local HTML = { ["content-type"] = "text/html; charset=utf-8", ["cache-control"] = "no-cache" }

local function page(req)
    if not board.is_name(req.params.board) then
        return 404, "A board has 1 to 40 letters, digits and hyphens.\n"
    end
    local html, err = tw.file.read "www/board.html"
    if not html then
        return 503, err.message .. ": is config.lua in use?\n"
    end
    return 200, html, HTML
end

return tw.routes {
    ["/ws/:board"] = board.app,
    ["GET /b/:board"] = page,
    ["GET /"] = function()
        return 302, "", { location = "/b/lobby" }
    end,
    ["/lib/*"] = tw.static "../../scripts/www/lib",
    ["/*"] = tw.static "www",
}
