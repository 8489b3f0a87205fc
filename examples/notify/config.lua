-- config.lua - the settings of the example. What is secret comes from the
-- environment; what stands here is for development, and everybody knows it.
--
-- SPDX-License-Identifier: MIT
return {
    listen = "127.0.0.1:8080",

    config = {
        -- Who may send, each by a name that devices see. `receipts` is a URL
        -- that is told what was read.
        senders = {
            shop = {
                key = os.getenv "SHOP_KEY" or "for-development",
                receipts = os.getenv "SHOP_RECEIPTS",
            },
        },

        -- Signs the tokens of devices: at least 32 bytes.
        secret = os.getenv "NOTIFY_SECRET" or "for development, known to everybody",

        kept = 7 * 86400, -- seconds that notes wait for a device

        -- Whoever names a user is that user. Your application's login makes
        -- the tokens instead, with the same secret; then this is false.
        dev_login = os.getenv "NOTIFY_SECRET" == nil,
    },
}
