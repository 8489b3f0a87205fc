#!/bin/sh
# What the tests reached: coverage.sh FOLDER [LEAST]
# FOLDER is a build with TW_COVERAGE whose tests have run. Prints the lines and
# branches of each folder of core/ and the files with the most lines that were
# not reached; fails when fewer than LEAST per cent (90) of all lines were.
# All files are in FOLDER/coverage.csv and FOLDER/coverage/index.html.
#
# The branches of an assertion do not count: the one that ends the program is
# not to be reached.
# SPDX-License-Identifier: MIT
set -eu
if [ $# -lt 1 ]; then
    sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
folder=$(cd "$1" && pwd)
least=${2:-90}
cd "$(dirname "$0")/.."

mkdir -p "$folder/coverage"
gcovr --root . --filter 'core/' -j "$(nproc)" \
    --exclude-branches-by-pattern '.*\bassert\(.*' \
    --csv "$folder/coverage.csv" \
    --html-details "$folder/coverage/index.html" "$folder" >/dev/null

files() { # path, lines, lines reached, branches, branches reached
    tail -n +2 "$folder/coverage.csv" | cut -d , -f 1,2,3,5,6
}

echo "folder          lines reached       %    branches reached       %"
files | awk -F , '
function percent(part, whole) { return whole > 0 ? 100 * part / whole : 100 }
function row(name, lines, hit, branches, taken) {
    printf "%-14s %6d %7d  %6.1f   %8d %7d  %6.1f\n", name, lines, hit,
        percent(hit, lines), branches, taken, percent(taken, branches)
}
{
    split($1, path, "/")
    at = path[1] "/" path[2]
    if (!(at in lines)) { order[++count] = at }
    lines[at] += $2; hit[at] += $3; branches[at] += $4; taken[at] += $5
    l += $2; h += $3; b += $4; t += $5
}
END {
    for (i = 1; i <= count; i++) {
        at = order[i]
        row(at, lines[at], hit[at], branches[at], taken[at])
    }
    row("core", l, h, b, t)
}'

echo "lines not reached:"
files | awk -F , '{ printf "%5d of %4d  %s\n", $2 - $3, $2, $1 }' |
    sort -rn | head -n 15

files | awk -F , -v least="$least" '
{ lines += $2; hit += $3 }
END {
    if (hit * 100 < least * lines) {
        printf "coverage: fewer than %d %% of the lines were reached\n", least
        exit 1
    }
}'
