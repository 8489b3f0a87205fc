-- moderation.lua - stands in for a moderation service: a server of its own that
-- knows a few words. A message with "slow" in it takes a second, so that one can
-- see who waits for it.
--
--   POST /check { user =, text = }  answers { allow =, why = }
--
-- SPDX-License-Identifier: MIT
local tw = require "tidewire"

local words = tw.config.get("words", { "rude", "spam" })
local delay = tw.config.get("delay", 0.05)

---@param text string
---@return string? word
local function found_in(text)
    for _, word in ipairs(words) do
        if text:lower():find(word, 1, true) then
            return word
        end
    end
end

return tw.routes {
    ["POST /check"] = function(req)
        local body = req:json()
        if not body or type(body.text) ~= "string" then
            return 400, { error = "a text is needed" }
        end
        tw.sleep(body.text:find("slow", 1, true) and 1 or delay)
        local word = found_in(body.text)
        return 200, { allow = word == nil, why = word and ("'%s' is not said here."):format(word) }
    end,
}
