#!/bin/sh
# What a message costs the server, beside two bare epoll programs that do as
# little as can be done: floor_single sends each message by itself, floor_merge
# once per socket and turn. Servers run on one core, the load generator
# (`tidewire bench`) on another; the works are interleaved, each with a fresh
# server, and the medians printed as a Markdown table.
#
#   tests/bench/run.sh PROGRAM [--quick] [--seconds N] [--repeat N] [--only WORD]
#
# SPDX-License-Identifier: MIT
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
program=
seconds=4
repeat=3
only=
server_core=0
load_core=1

usage() {
    echo "usage: $0 PROGRAM [--quick] [--seconds N] [--repeat N] [--only WORD]" >&2
    exit 2
}

while [ $# -gt 0 ]; do
    case "$1" in
    --quick) seconds=1 repeat=1 ;;
    --seconds) [ $# -gt 1 ] || usage; seconds=$2; shift ;;
    --repeat) [ $# -gt 1 ] || usage; repeat=$2; shift ;;
    --only) [ $# -gt 1 ] || usage; only=$2; shift ;;
    -*) usage ;;
    *) [ -z "$program" ] || usage; program=$1 ;;
    esac
    shift
done
[ -x "$program" ] || usage
if [ "$(nproc)" -lt 2 ]; then
    echo "one core only: server and load share it, and the figures suffer" >&2
    load_core=0
fi

work=$(mktemp -d)
server=
stop() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
        server=
    fi
}
trap 'stop; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

for floor in single merge; do
    "${CC:-cc}" -std=c11 -O2 -D_GNU_SOURCE "$here/floor_$floor.c" \
        "$here/floor.c" -lcrypto -o "$work/floor_$floor"
done

# Starts one of the three and waits until it says where it listens.
start() {
    : >"$work/log" # here, since the other shell may come to it too late
    case "$1" in
    tidewire)
        taskset -c "$server_core" "$program" run "$root/examples/bench/app.lua" \
            --listen 127.0.0.1:0 --admin off --workers 1 \
            --runtime-dir "$work/run" >"$work/log" 2>&1 &
        ;;
    *) taskset -c "$server_core" "$work/floor_$1" 0 >"$work/log" 2>&1 & ;;
    esac
    server=$!
    port=
    tries=0
    while [ -z "$port" ]; do
        port=$(sed -n 's/.* on \(http:\/\/\)\{0,1\}127\.0\.0\.1:\([0-9]*\).*/\2/p' \
            "$work/log" | head -n 1)
        tries=$((tries + 1))
        if [ "$tries" -gt 200 ] || ! kill -0 "$server" 2>/dev/null; then
            echo "$1 did not start:" >&2
            cat "$work/log" >&2
            exit 1
        fi
        [ -n "$port" ] || sleep 0.05
    done
}

# field NAME FILE: a number out of the generator's JSON.
field() {
    sed -n "s/.*\"$1\":\([-0-9.e+]*\).*/\1/p" "$2"
}

# measure PEER NAME FIGURE MODE PATH OPTION...: adds a line to the results.
measure() {
    peer=$1 name=$2 figure=$3 mode=$4 path=$5
    shift 5
    start "$peer"
    if ! "$program" bench "$mode" --url "ws://127.0.0.1:$port$path" \
        --server-pid "$server" --cpu "$load_core" --seconds "$seconds" --json \
        "$@" >"$work/json" 2>"$work/error"; then
        echo "$peer, $name: not clean" >&2
        cat "$work/error" "$work/json" >&2
        exit 1
    fi
    stop
    value=$(field "$figure" "$work/json")
    rate=$(field messages_per_second "$work/json")
    p99=$(field p99 "$work/json")
    echo "$name|$peer|${value:-0}|${rate:-0}|${p99:-0}" >>"$work/results"
    printf '%-34s %-9s %s\n' "$name" "$peer" "${value:-?}" >&2
}

# each NAME FIGURE MODE PATH OPTION...: all three, one after the other.
each() {
    case "$1" in *"$only"*) ;; *) return 0 ;; esac
    for peer in single merge tidewire; do
        measure "$peer" "$@"
    done
}

cpu=cpu_us_per_message
memory=private_bytes_per_connection_held
echo=/echo
for round in $(seq "$repeat"); do
    [ "$repeat" -eq 1 ] || echo "round $round of $repeat" >&2
    each "echo, 1 in flight, us" $cpu echo $echo
    each "echo, 16 in flight, us" $cpu echo $echo --in-flight 16
    each "fan-out to 1,000, one, us" $cpu fanout /
    each "fan-out to 1,000, 16, us" $cpu fanout / --in-flight 16
    each "fan-out to 10,000, one, us" $cpu fanout / --subscribers 10000
    each "fan-out to 10,000, 16, us" $cpu fanout / --subscribers 10000 \
        --in-flight 16
    each "idle connection of 15,000, bytes" $memory idle /sub \
        --connections 15000
done
[ -f "$work/results" ] || { echo "no work is named so: $only" >&2; exit 2; }

# Medians: sorted by work and peer, values ascending within them.
sort -t '|' -k1,1 -k2,2 -k3,3g "$work/results" | awk -F '|' '
    { key = $1 "|" $2; count[key]++; value[key, count[key]] = $3 }
    { rate[key] += $4; p99[key] += $5 }
    function median(key,    n) {
        n = count[key]
        if (n % 2) return value[key, (n + 1) / 2]
        return (value[key, n / 2] + value[key, n / 2 + 1]) / 2
    }
    END {
        while ((getline line < order) > 0) {
            split(line, part, "|")
            if (part[1] in done) continue
            done[part[1]] = 1
            if (!header++) {
                print "| 64 B, one worker | single | merge | tidewire | to merge | tidewire, /s | p99, us |"
                print "|---|---:|---:|---:|---:|---:|---:|"
            }
            s = median(part[1] "|single"); m = median(part[1] "|merge")
            t = median(part[1] "|tidewire")
            key = part[1] "|tidewire"; n = count[key]
            form = part[1] ~ /bytes/ ? "%.0f" : "%.3f"
            ratio = part[1] ~ /bytes/ || m == 0 ? "" : sprintf("%.2f", t / m)
            speed = delay = ""
            if (rate[key] > 0) {
                speed = sprintf("%.0f", rate[key] / n)
                delay = sprintf("%.0f", p99[key] / n)
            }
            printf "| %s | " form " | " form " | " form " | %s | %s | %s |\n", part[1], s, m, t, ratio, speed, delay
        }
    }' order="$work/results" -
