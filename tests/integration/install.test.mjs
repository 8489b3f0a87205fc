/* install.test.mjs - what is installed can be used: by programs of somebody
 * else's that are built against it, as a service, and as Debian packages.
 *
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { sanitized, source } from "./harness.mjs";

const build = dirname(process.env.TIDEWIRE_BIN);
const work = mkdtempSync(join(tmpdir(), "tw-install-"));
const prefix = join(work, "prefix");
const echo = join(work, "echo.lua");
const flags = sanitized ? ["-fsanitize=address,undefined"] : [];
before(() => {
  execFileSync("cmake", ["--install", build, "--prefix", prefix], { stdio: "pipe" });
  writeFileSync(echo, readFileSync(join(source, "examples/echo/app.lua")));
});
after(() => rmSync(work, { recursive: true, force: true }));

const has = (program) => spawnSync(program, ["--version"], { stdio: "ignore" }).error === undefined;

function walk(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? [path, ...walk(path)] : [path];
  });
}

/* A server whose logic is in C, and one whose logic is in Lua. */
const IN_C = `
#include <stdio.h>
#include <tidewire/tidewire.h>

int main(void) {
    char detail[256];
    tw_server *server;
    tw_config config = {0};
    int error = tw_server_create(&server, &config, detail, sizeof detail);
    if (error != 0) {
        fprintf(stderr, "%s: %s\\n", tw_strerror(error), detail);
        return 1;
    }
    tw_server_destroy(server, NULL, NULL);
    return 0;
}
`;
const IN_LUA = `
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
const PROGRAMS = [["tidewire", IN_C, []], ["tidewire-lua", IN_LUA, [join(prefix, "share/tidewire/lua"), echo]]];

describe("a consumer", () => {
  for (const [module, text, args] of PROGRAMS) {
    test(`builds with pkg-config ${module}, and runs`, () => {
      const program = join(work, module);
      writeFileSync(`${program}.c`, text);
      const folder = dirname(walk(prefix).find((path) => path.endsWith(`/${module}.pc`)));
      const pkg = execFileSync("pkg-config", ["--cflags", "--libs", module], {
        encoding: "utf8",
        env: { ...process.env, PKG_CONFIG_PATH: folder },
      });
      execFileSync("cc", ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", ...flags, `${program}.c`, "-o", program, ...pkg.trim().split(/\s+/)]);
      execFileSync(program, args);
    });
  }

  test("builds with CMake's find_package, and runs", () => {
    const folder = join(work, "consumer");
    mkdirSync(folder);
    writeFileSync(join(folder, "in-c.c"), IN_C);
    writeFileSync(join(folder, "in-lua.c"), IN_LUA);
    writeFileSync(join(folder, "CMakeLists.txt"), `
cmake_minimum_required(VERSION 3.20)
project(consumer LANGUAGES C)
find_package(tidewire 0.1 REQUIRED CONFIG)
add_executable(in-c in-c.c)
target_link_libraries(in-c PRIVATE tidewire::tidewire)
add_executable(in-lua in-lua.c)
target_link_libraries(in-lua PRIVATE tidewire::lua)
`);
    const env = { ...process.env, CFLAGS: flags.join(" ") };
    execFileSync("cmake", ["-S", folder, "-B", join(folder, "build"), "-G", "Ninja", `-DCMAKE_PREFIX_PATH=${prefix}`], { env, stdio: "pipe" });
    execFileSync("cmake", ["--build", join(folder, "build")], { stdio: "pipe" });
    execFileSync(join(folder, "build/in-c"));
    execFileSync(join(folder, "build/in-lua"), PROGRAMS[1][2]);
  });

  test("is refused by find_package when it wants another version", () => {
    const folder = join(work, "other");
    mkdirSync(folder);
    writeFileSync(join(folder, "CMakeLists.txt"), "cmake_minimum_required(VERSION 3.20)\nproject(other LANGUAGES C)\nfind_package(tidewire 99 REQUIRED CONFIG)\n");
    const { status, stderr } = spawnSync("cmake", ["-S", folder, "-B", join(folder, "build"), "-G", "Ninja", `-DCMAKE_PREFIX_PATH=${prefix}`], { encoding: "utf8" });
    assert.notEqual(status, 0);
    assert.match(stderr, /requested version "99"/);
  });

  /* Each by itself, first in its file, so that none leans on another. */
  for (const [language, compiler, standard] of [["c", "cc", "c11"], ["c++", "c++", "c++11"]]) {
    test(`can include each header in ${language === "c" ? "C" : "C++"}`, (t) => {
      if (!has(compiler)) {
        t.skip(`there is no ${compiler}`);
        return;
      }
      const headers = readdirSync(join(prefix, "include/tidewire"));
      assert.ok(headers.length >= 6);
      const unit = join(work, "header.txt");
      for (const header of headers) {
        writeFileSync(unit, `#include <tidewire/${header}>\n#include <tidewire/${header}>\n`);
        execFileSync(compiler, ["-x", language, `-std=${standard}`, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", `-I${join(prefix, "include")}`, unit]);
      }
    });
  }
});

describe("the program", () => {
  test("finds its library and serves the demo that came along", () => {
    const scripts = join(prefix, "share/tidewire/scripts/main.lua");
    const checked = execFileSync(join(prefix, "bin/tidewire"), ["check", scripts], { encoding: "utf8" });
    assert.match(checked, /3 routes/);
    const configured = execFileSync(join(prefix, "bin/tidewire"), ["check", "--config", join(prefix, "etc/tidewire/config.lua")], { encoding: "utf8" });
    assert.match(configured, /3 routes/);
  });

  test("makes projects from the templates that came along, and they run", () => {
    for (const template of ["chat", "dashboard", "notify"]) {
      execFileSync(join(prefix, "bin/tidewire"), ["new", template, template], { cwd: work, stdio: "pipe" });
      const checked = execFileSync(join(prefix, "bin/tidewire"), ["check", "--config", "config.lua"], { cwd: join(work, template), encoding: "utf8" });
      assert.match(checked, /^main\.lua: ok/);
    }
    assert.ok(existsSync(join(prefix, "share/tidewire/templates/chat/main.lua")));
  });

  test("brings what editors want", () => {
    for (const name of ["tidewire.lua", "luacheck.lua"]) {
      assert.ok(existsSync(join(prefix, "share/tidewire/lua/types", name)), name);
    }
  });

  test("is installed again without touching the settings", () => {
    const config = join(prefix, "etc/tidewire/config.lua");
    writeFileSync(config, "return {}");
    execFileSync("cmake", ["--install", build, "--prefix", prefix], { stdio: "pipe" });
    assert.equal(readFileSync(config, "utf8"), "return {}");
  });

  test("can be refused to nobody for what umask it was installed with", () => {
    const other = join(work, "umask");
    execFileSync("sh", ["-c", 'umask 002 && cmake --install "$0" --prefix "$1"', build, other], { stdio: "pipe" });
    const writable = walk(other).filter((path) => (statSync(path).mode & 0o022) !== 0);
    assert.deepEqual(writable, []);
  });
});

describe("the service", () => {
  const unit = () => readFileSync(join(prefix, "lib/systemd/system/tidewire.service"), "utf8");

  test("names what was installed", () => {
    for (const [, program] of unit().matchAll(/^Exec\w+=(\S+)/gm)) {
      assert.equal(program, join(prefix, "bin/tidewire"));
    }
    assert.match(unit(), new RegExp(`--config ${join(prefix, "etc/tidewire/config.lua")}`));
    assert.doesNotMatch(unit(), /@\w+@/);
  });

  test("gives its stop more time than a drain may take", () => {
    const config = readFileSync(join(source, "lua/program/install/config.lua.in"), "utf8");
    const drain = Number(/^\s*drain = "(\d+)s"/m.exec(config)[1]);
    assert.ok(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit())[1]) > drain + 5 + 2);
  });

  test("is understood by systemd, and shut in", (t) => {
    if (!has("systemd-analyze")) {
      t.skip("there is no systemd-analyze");
      return;
    }
    const folder = join(work, "unit");
    mkdirSync(folder);
    const file = join(folder, "tidewire.service");
    /* The user is made by the package. */
    writeFileSync(file, unit().replace(/^(User|Group)=.*\n/gm, ""));
    const verified = spawnSync("systemd-analyze", ["verify", file], { encoding: "utf8" });
    assert.doesNotMatch(verified.stderr, /tidewire\.service/);
    const judged = spawnSync("systemd-analyze", ["security", "--offline=yes", "--threshold=25", join(prefix, "lib/systemd/system/tidewire.service")], { encoding: "utf8" });
    assert.equal(judged.status, 0, judged.stdout + judged.stderr);
  });
});

describe("the Debian packages", { skip: !has("dpkg-shlibdeps") && "there is no dpkg-shlibdeps" }, () => {
  const folder = join(work, "deb");
  const root = join(work, "root");
  const find = (name) => join(folder, readdirSync(folder).find((file) => file.startsWith(`${name}_`)));
  const field = (name, key) => execFileSync("dpkg-deb", ["-f", find(name), key], { encoding: "utf8" }).trim();

  before(() => {
    execFileSync("cpack", ["-G", "DEB", "--config", join(build, "CPackConfig.cmake"), "-B", folder], { stdio: "pipe" });
    execFileSync("dpkg-deb", ["-x", find("tidewire"), root]);
  });

  test("depend on what the program is linked with", () => {
    const depends = field("tidewire", "Depends");
    for (const name of ["adduser", "libc6", "libluajit-5.1-2", "libssl3", "libuv1", "libwslay1", "lua-cjson"]) {
      assert.match(depends, new RegExp(`(^|[ ,|])${name.replaceAll(".", "\\.")}[ ,]`), name);
    }
    assert.match(field("libtidewire-dev", "Depends"), /libuv1-dev.*libwslay-dev.*libssl-dev.*libluajit-5\.1-dev/);
    assert.equal(field("tidewire", "Version"), field("libtidewire-dev", "Version"));
  });

  test("hold the program, the demo, the service and the settings, all of root's", () => {
    const listed = execFileSync("dpkg-deb", ["-c", find("tidewire")], { encoding: "utf8" }).trim().split("\n");
    for (const line of listed) {
      assert.match(line, /^[d-]rw[x-]r-[x-]r-[x-] root\/root /);
    }
    for (const path of ["usr/bin/tidewire", "usr/share/tidewire/lua/tidewire/task.lua", "usr/share/tidewire/scripts/main.lua", "usr/share/tidewire/scripts/www/index.html", "usr/share/tidewire/templates/chat/www/index.html",
      "usr/lib/systemd/system/tidewire.service", "etc/tidewire/config.lua", "usr/share/doc/tidewire/copyright"]) {
      assert.ok(existsSync(join(root, path)), path);
    }
    const development = execFileSync("dpkg-deb", ["-c", find("libtidewire-dev")], { encoding: "utf8" });
    for (const name of ["libtidewire.a", "libtidewire-lua.a", "tidewire-lua.pc", "tidewire-config.cmake", "include/tidewire/lua.h"]) {
      assert.ok(development.includes(`${name}\n`), name);
    }
  });

  test("keep the operator's settings", () => {
    const control = join(work, "control");
    execFileSync("dpkg-deb", ["-e", find("tidewire"), control]);
    assert.equal(readFileSync(join(control, "conffiles"), "utf8").trim(), "/etc/tidewire/config.lua");
    for (const script of ["postinst", "prerm", "postrm"]) {
      assert.equal(statSync(join(control, script)).mode & 0o111, 0o111);
      execFileSync("sh", ["-n", join(control, script)]);
    }
  });

  test("name the places where they will be", () => {
    const unit = readFileSync(join(root, "usr/lib/systemd/system/tidewire.service"), "utf8");
    assert.match(unit, /^ExecStart=\/usr\/bin\/tidewire run --config \/etc\/tidewire\/config\.lua /m);
    const config = readFileSync(join(root, "etc/tidewire/config.lua"), "utf8");
    assert.match(config, /script = "\/usr\/share\/tidewire\/scripts\/main\.lua"/);
  });

  test("have a program that runs", () => {
    const program = join(root, "usr/bin/tidewire");
    assert.match(execFileSync(program, ["--version"], { encoding: "utf8" }), /^tidewire \d/);
    const checked = execFileSync(program, ["check", join(root, "usr/share/tidewire/scripts/main.lua")], { encoding: "utf8" });
    assert.match(checked, /3 routes/);
  });
});
