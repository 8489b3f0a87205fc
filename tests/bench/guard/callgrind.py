"""What a callgrind file says, by object.

An object is a program or library. Counted are the instructions of those that
execute the same ones on every machine: the program itself, LuaJIT's
interpreter, libuv and wslay. The C library and OpenSSL choose their code by the
features of the CPU, the kernel's page of functions is the kernel's, and the
linker works when it is first needed. What those do for us shows in how often
they are called: one more system call, copy or allocation is one more call.

SPDX-License-Identifier: MIT
"""
import re

FOREIGN = re.compile(r"/(ld|ld-linux[^/]*|lib(c|m|dl|rt|pthread|crypto))[.-][^/]*$")
NAME = re.compile(r"^(c?ob)=\((\d+)\)(?: (.*))?$")
COST = re.compile(r"^[-+*0-9]")


def is_ours(path):
    """Code that belongs to no file stands at "???"."""
    return path.startswith("/") and not FOREIGN.search(path)


class Count:
    """Instructions by object, and calls from objects that are ours into those
    that are not."""

    def __init__(self):
        self.by_object = {}
        self.calls = 0

    def instructions(self):
        return sum(n for path, n in self.by_object.items() if is_ours(path))

    def _add(self, path, cost):
        self.by_object[path] = self.by_object.get(path, 0) + cost


def read(lines):
    """Counts the lines of a callgrind file. A name is written out only where it
    first comes. The line behind `calls=` is left out: it tells what the called
    function cost, which stands at that function, too."""
    count = Count()
    names = {}
    here = callee = ""
    calls = 0
    for line in lines:
        name = NAME.match(line)
        if name:
            kind, number, path = name.groups()
            path = names.setdefault(number, path)
            callee = path
            here = path if kind == "ob" else here
        elif line.startswith("calls="):
            calls = int(line[len("calls="):].split()[0])
        elif calls:
            if is_ours(here) and not is_ours(callee):
                count.calls += calls
            calls, callee = 0, here
        elif COST.match(line):
            count._add(here, int(line.split()[1]))
    return count
