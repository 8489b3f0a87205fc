-- @NAME@ - figures that are measured once and seen by everybody. The page is
-- www/index.html.
local tw = require "tidewire"

-- The newest of each key is kept for whoever comes later, and is all that a
-- slow viewer gets.
tw.channels {
    ["figures"] = { retain = 16, slow = "conflate" },
}

local function show(name, value)
    return tw.publish("figures", { name = name, value = value, at = tw.now() }, { key = name })
end

-- In one worker of the server, once a second; keeps its beat over reloads.
tw.every(1, function()
    local load = tw.file.read "/proc/loadavg"
    if load then show("load", tonumber(load:match "^%S+")) end
    local stats = tw.stats()
    if stats then show("connections", stats.connections) end
end, { name = "figures", once = "server" })

local viewers = tw.app {
    on_open = function(conn)
        return conn:subscribe "figures"
    end,
}

return tw.routes {
    ["/figures"] = viewers,
    ["/*"] = tw.static "www",
}
