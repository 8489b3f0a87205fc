/* Logs that cannot be written: a full disk, a closed standard error, a pipe
 * that nobody reads. Serving goes on, and what is lost is counted.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, readFileSync, readSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { after, afterEach, describe, test } from "node:test";
import { Client, dropAll, LAB } from "./client.mjs";
import { Scripts, Server, until } from "./harness.mjs";

const folder = new Scripts();
let server;

/* Where the log goes is up to sh; a sanitizer's words go to a file. */
async function start(shell, options = {}) {
  const reports = ["ASAN_OPTIONS", "UBSAN_OPTIONS"].map((name) => [name, `${process.env[name] ?? ""}:log_path=${folder.path("report")}`]);
  server = await Server.start(LAB, {
    shell,
    env: Object.fromEntries(reports),
    settings: { lua: { budget: 10 } },
    ...options,
  });
}

async function pids() {
  const { master_pid, admin_pid, workers } = await server.status();
  return [master_pid, admin_pid, ...workers.map((worker) => worker.pid)];
}

/* Logs the records `from` to `to`: 300 bytes and more of each. */
const log = (client, from, to) => client.value(`for i = ${from}, ${to} do tw.log.info("n=" .. i .. (" x"):rep(100)) end return true`);

const lost = () => server.metric("tidewire_log_records_lost_total");

async function assertServes() {
  const [one, other] = [await Client.open(server), await Client.open(server)];
  await one.value('return conn:subscribe("news")');
  await other.value('return tw.publish("news", "fresh")');
  await one.expect("fresh");
  await other.send("echo").expect("echo");
  [one, other].forEach((client) => client.drop());
}

afterEach(async () => {
  dropAll();
  await server?.stop();
  server = null;
  assert.deepEqual(readdirSync(folder.folder).filter((name) => name.startsWith("report")), []);
});
after(() => {
  dropAll();
  folder.remove();
});

describe("standard error that is closed", () => {
  for (const [which, shell, fds] of [
    ["alone", 'exec "$@" 2>&-', [2]],
    ["with the other two", 'exec "$@" <&- >&- 2>&-', [0, 1, 2]],
  ]) {
    test(`${which} is no place for another descriptor`, async () => {
      await start(shell, { workers: 2 });
      const client = await Client.open(server);
      await log(client, 1, 1000);
      for (const pid of await pids()) {
        for (const fd of fds) {
          assert.equal(readlinkSync(`/proc/${pid}/fd/${fd}`), "/dev/null", `${fd} of ${pid}`);
        }
      }
      await assertServes();
      assert.equal((await server.reload()).status, 200);
    });
  }
});

describe("a full disk", () => {
  test("loses the log and nothing else", async () => {
    await start('exec "$@" 2>/dev/full', { workers: 2 });
    const client = await Client.open(server);
    const before = await lost();
    await log(client, 1, 1000);
    assert.equal(await lost(), before + 1000);
    await assertServes();
    assert.equal((await server.reload()).status, 200);
    const { pid } = await server.worker(1);
    process.kill(pid, "SIGKILL");
    await server.replaced(1, pid);
    await assertServes();
  });

  /* What the kernel says of a file that may not grow comes like ENOSPC: after
   * so much of a record as there was room for. */
  test("is a reason not to reload; with room again both go on", async () => {
    const path = folder.path("log");
    await start(`exec "$@" 2>>${path}`);
    const client = await Client.open(server);
    const bound = async (bytes) => {
      for (const pid of await pids()) {
        execFileSync("prlimit", ["--pid", pid, `--fsize=${bytes}:`]);
      }
    };
    const size = statSync(path).size + 5000;
    await bound(size);
    await log(client, 1, 100);
    assert.equal(statSync(path).size, size);
    assert.ok((await lost()) >= 80);
    await bound(1);
    const refused = await server.reload();
    assert.ok(refused.status >= 400, refused.body);
    await assertServes();
    await bound("unlimited");
    const missing = await lost();
    await log(client, 101, 101);
    assert.equal((await server.reload()).status, 200);
    assert.equal(await lost(), missing);
    const lines = readFileSync(path, "utf8").trimEnd().split("\n");
    assert.deepEqual(lines.filter((line) => !line.startsWith("time=")), [], "the record that was cut has its line to itself");
    assert.ok(lines.some((line) => line.includes(`"log records were lost" worker=0`) && line.includes(`records=${missing}`)), "the loss is told");
    assert.ok(lines.some((line) => line.includes("n=101 ")));
  });
});

describe("a pipe", () => {
  let serial = 0;

  /* A reader that takes nothing until it is asked to. */
  function makePipe() {
    const path = folder.path(`pipe${++serial}`);
    execFileSync("mkfifo", [path]);
    const open = () => openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    return { path, open, fd: open() };
  }

  function readSome(fd, buffer) {
    try {
      return readSync(fd, buffer);
    } catch (error) {
      assert.equal(error.code, "EAGAIN");
      return 0;
    }
  }

  /* All that comes until the text has `mark`. */
  async function readUntil(fd, mark) {
    const buffer = Buffer.alloc(65536);
    let all = "";
    await until(`${mark} in the log`, () => {
      for (let got; (got = readSome(fd, buffer)) > 0; ) {
        all += buffer.toString("latin1", 0, got);
      }
      return mark.test(all);
    });
    return all;
  }

  test("whose reader has gone fails, and is written to when there is one again", async () => {
    const pipe = makePipe();
    await start(`exec "$@" 2>${pipe.path}`, { workers: 2 });
    const client = await Client.onWorker(server, 0);
    await log(client, 1, 10);
    closeSync(pipe.fd);
    await log(client, 11, 1000);
    await assertServes();
    const { pid } = await server.worker(1);
    process.kill(pid, "SIGKILL");
    await server.replaced(1, pid);
    assert.equal((await server.reload()).status, 200);
    const count = await lost();
    assert.ok(count >= 990);
    const fd = pipe.open();
    await log(client, 1001, 1001);
    const all = await readUntil(fd, /n=1001 .*\n/);
    assert.match(all, /level=warn msg="log records were lost" worker=0 .*records=\d+/);
    closeSync(fd);
  });

  test("that is not read keeps nobody waiting, and tells what is missing when it is", async () => {
    const pipe = makePipe();
    await start(`exec "$@" 2>${pipe.path}`);
    const client = await Client.open(server);
    const total = 10_000;
    for (let from = 1; from <= total; from += 1000) {
      await log(client, from, from + 999);
    }
    await assertServes();
    const count = await lost();
    assert.ok(count > 0 && count < total, `${count} lost`);
    /* Nobody logs any more: what waits is written all the same. */
    const lines = (await readUntil(pipe.fd, /"log records were lost".*\n/)).trimEnd().split("\n");
    assert.deepEqual(lines.filter((line) => !/^time=.* pid=\d+/.test(line)), []);
    const numbers = lines.map((line) => Number(/ msg="n=(\d+) /.exec(line)?.[1])).filter((number) => number > 0);
    assert.deepEqual(numbers, Array.from({ length: total - count }, (_, i) => i + 1));
    assert.match(lines.at(-1), new RegExp(` records=${count}$`));
    assert.equal(await lost(), count);
    await log(client, total + 1, total + 1);
    await readUntil(pipe.fd, new RegExp(`n=${total + 1} `));
    closeSync(pipe.fd);
  });

  test("that is not read keeps no server from ending", async () => {
    const pipe = makePipe();
    await start(`exec "$@" 2>${pipe.path}`, { workers: 2 });
    const client = await Client.open(server);
    await log(client, 1, 1000);
    client.drop();
    await server.stop();
    server = null;
    closeSync(pipe.fd);
  });
});
