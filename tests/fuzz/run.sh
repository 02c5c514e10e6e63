#!/usr/bin/env bash
# Builds the fuzzers and runs them, as many at once as there are cores.
#
#   tests/fuzz/run.sh SECONDS             all of them, SECONDS of fuzzing together
#   tests/fuzz/run.sh SECONDS TARGET...   these: dag, sweep, idx, gzip, object, manifest
#
# Prints a line for each: executions, coverage, findings. A finding is kept in build-fuzz/findings/TARGET/ and printed with what the fuzzer
# said of it, and the exit code is 1; build-fuzz/fuzz_TARGET FILE shows it again. What is found interesting is kept in build-fuzz/corpus/ for
# the next time.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../../cmake/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../cmake/common.sh"

clang=16    # the newest of Debian 12's own; 14, its default, lacks parts of C++20 that satdl uses
build=$root/build-fuzz
seconds=${1:?"tests/fuzz/run.sh SECONDS [TARGET...]"}
shift
targets=("$@")
if [ "${#targets[@]}" -eq 0 ]; then targets=(dag sweep idx gzip object manifest); fi
jobs=$(nproc)

prepare_build() {
    "$root/cmake/setup.sh"
    install_packages "clang, for the fuzzers" "clang-$clang" "libclang-rt-$clang-dev"
    cmake -S "$root" -B "$build" -G Ninja -DSATDL_FUZZ=ON -DCMAKE_CXX_COMPILER="clang++-$clang" -DCMAKE_C_COMPILER="clang-$clang" \
        -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG="-O1 -g1"
    cmake --build "$build" -j "$jobs" --target "${targets[@]/#/fuzz_}"
}

# The seeds: those beside this script, and what the other tests read.
seeds() { # TARGET
    local folder=$build/seeds/$1
    rm -rf "$folder"
    mkdir -p "$folder" "$build/corpus/$1" "$build/findings/$1"
    cp "$root/tests/fuzz/corpus/$1"/* "$folder"
    case "$1" in
    dag) cp "$root"/tests/golden/*.yaml "$root"/dags/*.yaml "$folder" ;;
    manifest) cp "$root"/data/*.yaml "$folder" ;;
    esac
}

# All that a finding needs to be seen again elsewhere: a machine of CI, and its files, are gone when its log is read.
show_findings() { # TARGET
    local input
    sed '/^#[0-9]/d' "$build/$1.log" | tail -n 60
    for input in "$build/findings/$1"/*; do
        [ -e "$input" ] || continue
        echo "input of $(wc -c <"$input") bytes, in base64, for: base64 -d >input && build-fuzz/fuzz_$1 input"
        base64 "$input"
    done
}

fuzz() { # TARGET SECONDS
    local log=$build/$1.log rc=0 dictionary=()
    seeds "$1"
    if [ -e "$root/tests/fuzz/$1.dict" ]; then dictionary=(-dict="$root/tests/fuzz/$1.dict"); fi
    "$build/fuzz_$1" -max_total_time="$2" -max_len=4096 -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 "${dictionary[@]}" \
        -artifact_prefix="$build/findings/$1/" "$build/corpus/$1" "$build/seeds/$1" >"$log" 2>&1 || rc=$?
    local executions coverage features
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    read -r coverage features < <(sed -n 's/.*cov: \([0-9]*\) ft: \([0-9]*\).*/\1 \2/p' "$log" | tail -n 1)
    printf '%-10s %6s s %10s executions   %6s edges, %6s features   %s\n' "$1" "$2" "${executions:-?}" "${coverage:-?}" "${features:-?}" \
        "$([ "$rc" -eq 0 ] && echo "no finding" || echo "FINDING: see $log")"
    if [ "$rc" -ne 0 ]; then show_findings "$1"; fi
    return "$rc"
}

main() {
    prepare_build
    # Each target has a core for its share of the time.
    local share=$((seconds / ${#targets[@]})) failed=0 target
    if [ "$share" -lt 1 ]; then share=1; fi
    export -f fuzz seeds show_findings
    export build root
    printf '%s\n' "${targets[@]}" | xargs -P "$jobs" -I{} bash -c "set -euo pipefail; fuzz {} $share" || failed=1
    for target in "${targets[@]}"; do
        if [ -n "$(ls -A "$build/findings/$target")" ]; then echo "findings: $build/findings/$target/"; failed=1; fi
    done
    return "$failed"
}
main
