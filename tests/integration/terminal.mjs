/* terminal.mjs - runs the program in a terminal of its own, by Python's pty.
 *
 * SPDX-License-Identifier: MIT */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { patience, within } from "./waiting.mjs";

const PTY = `
import fcntl, json, os, pty, select, signal, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
seen = b""
def read():
    if not select.select([fd], [], [], 300)[0]:
        sys.exit("nothing more comes behind %r" % seen)
    try:
        return os.read(fd, 65536)
    except OSError: # how a terminal's end looks
        return b""
def until(what):
    global seen
    while what not in seen:
        more = read()
        if not more:
            sys.exit("no %r before the end: %r" % (what, seen))
        seen += more
    seen = seen.split(what, 1)[1]
for line in sys.stdin:
    step = json.loads(line)
    if "rows" in step:
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", step["rows"], step["columns"], 0, 0))
    if "signal" in step:
        os.kill(pid, getattr(signal, step["signal"]))
    if "end" in step:
        os.kill(step["end"], signal.SIGTERM)
    os.write(fd, step.get("type", "").encode())
    if step.get("wait"):
        until(step["wait"].encode())
more = read()
while more:
    more = read()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

/* Takes the steps one after another, each { rows, columns, signal, end, type,
 * wait } of which any may be missing: `signal` is sent to the program, `end` is a
 * process that gets SIGTERM, `wait` what has to be printed from then on.
 * Answers { code, stderr } of the program's end, which has to come by itself. */
export async function inTerminal(args, steps) {
  const child = spawn("python3", ["-c", PTY, process.env.TIDEWIRE_BIN, ...args], { stdio: ["pipe", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text) => (stderr += text));
  child.stdin.on("error", () => {});
  child.stdin.end(steps.map((step) => `${JSON.stringify(step)}\n`).join(""));
  const [code] = await within(`the end of ${args[0]} in a terminal`, once(child, "close"), patience(120_000));
  return { code, stderr };
}
