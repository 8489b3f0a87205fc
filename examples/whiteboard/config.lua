-- config.lua - the settings of the example.
--
-- SPDX-License-Identifier: MIT
return {
    listen = "127.0.0.1:8080",

    -- The page is the same for all boards: main.lua reads it.
    files = { "www/board.html" },
}
