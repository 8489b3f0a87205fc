#!/bin/sh
# Runs the fuzz targets of a build folder: run.sh ci|on|keep FOLDER [TARGET]
#   ci    each for FUZZ_SECONDS (60; a small one for a quarter), FUZZ_JOBS at a
#         time (one per core), from the kept inputs and a fixed seed (FUZZ_SEED)
#   on    until something is found: TARGET, or all in turn, again and again,
#         from what earlier rounds have found
#   keep  adds to the kept inputs those found ones that reach other code
# What was found is in FOLDER/found/TARGET, what failed in FOLDER/failed.
# SPDX-License-Identifier: MIT
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ $# -lt 2 ]; then
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
mode=$1
folder=$(cd "$2" && pwd)
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_stack_use_after_return=0}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"

program() {
    echo "$folder/tests/fuzz/fuzz_$1"
}

figure() { # of libFuzzer's last words
    sed -n "s/^stat::$1: *//p" "$folder/log/$2"
}

say_what_failed() {
    echo "fuzz: $1 FAILED:"
    grep -aE 'does not hold|ERROR: |runtime error|raised|SUMMARY' \
        "$folder/log/$1" | head -5
    tail -n 25 "$folder/log/$1"
    for input in "$folder/failed/$1"-*; do
        echo "again: $(program "$1") $input"
    done
}

# One target: run_one NAME SECONDS INPUTS [libFuzzer's options]
run_one() {
    name=$1 seconds=$2 inputs=$3
    shift 3
    [ -f "$here/dict/$name.dict" ] && set -- "$@" -dict="$here/dict/$name.dict"
    mkdir -p "$inputs" "$folder/log" "$folder/failed"
    if "$(program "$name")" -max_total_time="$seconds" -print_final_stats=1 \
        -artifact_prefix="$folder/failed/$name-" "$@" \
        "$inputs" "$here/corpus/$name" >"$folder/log/$name" 2>&1; then
        runs=$(figure number_of_executed_units "$name")
        echo "fuzz: $name: $runs runs in $seconds s," \
            "$(grep -aoE 'cov: [0-9]+' "$folder/log/$name" | tail -n 1)"
        echo "$runs" >"$folder/round/$name"
    else
        say_what_failed "$name"
        return 1
    fi
}

names() {
    for source in "$here"/fuzz_*.c; do
        name=${source##*/fuzz_}
        echo "${name%.c}"
    done
}

share_of() {
    if tr '\n' ' ' <"$here/fuzz_$1.c" | tr -s ' *' ' ' |
        grep -q 'Small: a quarter of the time'; then
        echo $(($2 < 4 ? 1 : $2 / 4))
    else
        echo "$2"
    fi
}

# Those that run longest first, so that no core is left alone with one.
longest_first() {
    while read -r name; do
        echo "$(share_of "$name" 60) $name"
    done | sort -s -k 1,1nr | cut -d " " -f 2
}

# All of them, or the rest of the arguments; the count line at the end.
run_all() {
    each=$1
    shift
    rm -rf "$folder/round"
    mkdir -p "$folder/round"
    # shellcheck disable=SC2046
    [ $# -gt 0 ] || set -- $(names | longest_first)
    result=0
    printf '%s\n' "$@" | xargs -P "${FUZZ_JOBS:-$(nproc)}" -I '{}' \
        "$0" "$each" "$folder" '{}' || result=1
    good=$(find "$folder/round" -type f | wc -l)
    runs=$(find "$folder/round" -type f -exec cat '{}' + |
        awk '{ n += $1 } END { print n + 0 }')
    echo "fuzz: $# targets, $runs runs, $(($# - good)) failed"
    return $result
}

case $mode in
ci)
    rm -rf "$folder/ci"
    run_all one-ci ${3:+"$3"}
    rm -rf "$folder/ci"
    ;;
one-ci)
    run_one "$3" "$(share_of "$3" "${FUZZ_SECONDS:-60}")" "$folder/ci/$3" \
        -seed="${FUZZ_SEED:-1}" -timeout=60
    ;;
on)
    while run_all one-on ${3:+"$3"}; do :; done
    exit 1
    ;;
one-on)
    run_one "$3" "$(share_of "$3" "${FUZZ_SECONDS:-600}")" \
        "$folder/found/$3" -timeout=10
    ;;
keep)
    for name in ${3:-$(names)}; do
        [ -d "$folder/found/$name" ] || continue
        "$(program "$name")" -merge=1 -use_counters=0 "$here/corpus/$name" \
            "$folder/found/$name" 2>&1 | grep -a 'MERGE-OUTER: .*new' || true
        for file in "$here/corpus/$name"/*; do
            hash=$(basename "$file" | grep -xE '[0-9a-f]{40}') || continue
            mv "$file" "$here/corpus/$name/found-$(echo "$hash" | cut -c 1-8)"
        done
    done
    ;;
*)
    echo "run.sh: no such mode: $mode" >&2
    exit 2
    ;;
esac
