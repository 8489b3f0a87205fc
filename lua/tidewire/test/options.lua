-- options.lua - tables of options, checked. SPDX-License-Identifier: MIT
local M = {}

--- The table itself, or an empty one for nil. Raises, for the caller of who
--- calls it, what is no table or holds an unknown option.
---@param what string
---@param options any
---@param names string[]
---@param level integer? whose mistake it is, as for error; 3
---@return table
function M.check(what, options, names, level)
    level = level or 3
    if options == nil then
        return {}
    end
    if type(options) ~= "table" then
        error(("%s takes a table of options, not a %s"):format(what, type(options)), level)
    end
    for key in pairs(options) do
        local is_known = false
        for _, name in ipairs(names) do
            is_known = is_known or key == name
        end
        if not is_known then
            local known = table.concat(names, ", ")
            error(("%s: unknown option '%s'; there are %s"):format(what, tostring(key), known), level)
        end
    end
    return options
end

return M
