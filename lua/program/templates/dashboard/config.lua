-- The settings of @NAME@; `tidewire help options` lists all there are.
return {
    listen = "127.0.0.1:8080",
    script = "main.lua",

    -- What tw.file.read may read, nothing else.
    files = { "/proc/loadavg" },
}
