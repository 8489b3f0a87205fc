-- luacheck.lua - the globals of Tidewire's scripts, as a standard for luacheck.
-- In a .luacheckrc:
--
--   stds.tidewire = dofile "/usr/local/share/tidewire/lua/types/luacheck.lua"
--   std = "tidewire"
--
-- None of them can be assigned, and there are no others: a script's own names
-- are local.
--
-- SPDX-License-Identifier: MIT

---@param names string parted by blanks
---@return table
local function fields(names)
    local list = {}
    for name in names:gmatch "%S+" do
        list[name] = {}
    end
    return { fields = list }
end

local globals = fields [[
    _VERSION assert collectgarbage error getmetatable ipairs load loadstring next pairs pcall print
    rawequal rawget rawset require select setmetatable tonumber tostring type unpack xpcall
]].fields

globals._G = { other_fields = true }
globals.bit = fields "arshift band bnot bor bswap bxor lshift rol ror rshift tobit tohex"
globals.coroutine = fields "create isyieldable resume running status wrap yield"
globals.math = fields [[
    abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log log10 max min modf
    pi pow rad random randomseed sin sinh sqrt tan tanh
]]
globals.os = fields "clock date difftime getenv time"
globals.package = fields "cpath loaded path"
globals.package.fields.loaded.other_fields = true
globals.string = fields [[
    byte char find format gmatch gsub len lower match rep reverse sub upper
]]
globals.table = fields "concat foreach foreachi getn insert maxn move remove sort"

return { read_globals = globals }
