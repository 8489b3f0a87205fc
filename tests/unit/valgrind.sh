#!/bin/sh
# Unit tests of plain C under valgrind: valgrind.sh FOLDER [NAME...]
# FOLDER is a build without a sanitizer; NAME is "ws_frame" and the like, all of
# them otherwise. Whatever valgrind minds fails, and any leak.
#
# Left out:
#   bridge_*      LuaJIT is in them: valgrind follows neither its compiled code
#                 nor its allocator
#   bench_*       parts of the load generator, which serves nobody
#   server_master*  forks servers that are killed on purpose and have no chance
#                 to give anything back
#   net_listener, server_conn_descriptors  take all descriptors, and valgrind
#                 keeps some for itself
#   http_static   openat2(2) is unknown to valgrind
#   *_nth*, and some with very many cases, megabytes of messages or much
#                 cryptography: they would take minutes, and pass under
#                 AddressSanitizer
# SPDX-License-Identifier: MIT
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ $# -lt 1 ]; then
    sed -n '2,4s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
folder=$(cd "$1" && pwd)
shift

names() {
    for source in "$here"/test_*.c; do
        name=$(basename "$source" .c)
        case ${name#test_} in
        bridge_* | bench_* | server_master* | *_nth*) ;;
        net_listener | server_conn_descriptors | http_static) ;;
        server_tls* | server_conn_smuggling | bus_kept | hub_history_model) ;;
        *) echo "${name#test_}" ;;
        esac
    done
}

run_one() {
    log="$folder/valgrind/$1"
    if valgrind -q --error-exitcode=99 --leak-check=full \
        --errors-for-leak-kinds=definite,indirect,possible \
        --show-leak-kinds=definite,indirect,possible --track-fds=no \
        "$folder/tests/test_$1" >"$log" 2>&1; then
        echo "$(grep -c '^\[       OK' "$log") $1" >"$log.passed"
    else
        echo "valgrind: $1 FAILED (again: $here/valgrind.sh $folder $1)"
        tail -n 60 "$log"
        return 1
    fi
}

if [ "${1:-}" = --one ]; then
    run_one "$2"
    exit
fi
rm -rf "$folder/valgrind"
mkdir -p "$folder/valgrind"
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(names)
result=0
printf '%s\n' "$@" | xargs -P "$(nproc)" -I '{}' \
    "$here/valgrind.sh" "$folder" --one '{}' || result=1
passed=$(find "$folder/valgrind" -name '*.passed' | wc -l)
tests=$(cat "$folder"/valgrind/*.passed 2>/dev/null |
    awk '{ n += $1 } END { print n + 0 }')
echo "valgrind: $passed of $# test programs passed, $tests tests in them"
exit $result
