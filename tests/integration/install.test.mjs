/* install.test.mjs - what is installed can be used: a program of somebody else's
 * is built with pkg-config against it and runs.
 *
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { sanitized, source } from "./harness.mjs";

const prefix = mkdtempSync(join(tmpdir(), "tw-install-"));
after(() => rmSync(prefix, { recursive: true, force: true }));

const CONSUMER = `
#include <tidewire/lua.h>

int main(int argc, char **argv) {
    char detail[256];
    tw_server *server;
    tw_config config = {0};
    tw_lua *lua;
    tw_lua_config scripts = {.script = argv[argc - 1],
                             .library_dir = argv[argc - 2]};
    if (tw_lua_create(&lua, &scripts) != 0) {
        return 1;
    }
    config.hooks = tw_lua_hooks(lua);
    config.hook_user = lua;
    if (tw_server_create(&server, &config, detail, sizeof detail) != 0) {
        return 2;
    }
    char report[TW_REPORT_MAX];
    int err = tw_lua_start(lua, server, report);
    tw_lua_stop(lua);
    tw_server_destroy(server, NULL, NULL);
    tw_lua_destroy(lua);
    return err == 0 ? 0 : 3;
}
`;

test("a consumer builds with pkg-config against an installation, and runs", () => {
  execFileSync("cmake", ["--install", dirname(process.env.TIDEWIRE_BIN), "--prefix", prefix]);
  const program = join(prefix, "consumer");
  writeFileSync(`${program}.c`, CONSUMER);
  const pkg = execFileSync("pkg-config", ["--cflags", "--libs", "tidewire-lua"], {
    encoding: "utf8",
    env: { ...process.env, PKG_CONFIG_PATH: join(prefix, "lib/pkgconfig") },
  });
  const flags = sanitized ? ["-fsanitize=address,undefined"] : [];
  execFileSync("cc", ["-std=c11", "-Wall", "-Werror", ...flags, `${program}.c`, "-o", program, ...pkg.trim().split(/\s+/)]);
  execFileSync(program, [join(prefix, "share/tidewire/lua"), join(source, "examples/echo/app.lua")]);
});

test("the installed program finds its library and serves a script", () => {
  const checked = execFileSync(join(prefix, "bin/tidewire"), ["check", join(source, "scripts/main.lua")], { encoding: "utf8" });
  assert.match(checked, /3 routes/);
});
