-- The settings of @NAME@; `tidewire help options` lists all there are.
return {
    listen = "127.0.0.1:8080",
    script = "main.lua",

    -- What main.lua reads with tw.config.get. Give the real key in the
    -- environment, not here.
    config = { push_key = os.getenv "PUSH_KEY" or "for-development" },
}
