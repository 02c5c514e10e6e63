# shellcheck shell=bash source-path=SCRIPTDIR
# From a bare machine to programs in build/ and data in data/: what run.sh and test.sh have in common. Sourced by them.
# Each step detects quickly that it has nothing to do.

# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

build=$root/build

# A translation unit that includes torch/torch.h takes 2 GB: as many at once as there are cores, but no more than memory for. $SATDL_JOBS overrides.
build_jobs() {
    local cores by_memory
    cores=$(nproc)
    by_memory=$(awk '/^MemAvailable:/ {print int($2 / 2097152)}' /proc/meminfo)
    if [ "$by_memory" -lt 1 ]; then by_memory=1; fi
    echo "${SATDL_JOBS:-$((cores < by_memory ? cores : by_memory))}"
}

# Once. Afterwards ninja itself reconfigures when a CMakeLists.txt or the choice of LibTorch has changed (cmake/Torch.cmake).
configure() {
    if [ -e "$build/build.ninja" ]; then return 0; fi
    step "configuring build/ (Release)" cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release
}

# On a terminal, ninja's own progress line; elsewhere only the result.
compile() { # TARGET...
    local command=(flock "$deps/build.lock" cmake --build "$build" -j "$(build_jobs)" --target "$@")
    if [ -t 2 ]; then
        NINJA_STATUS='  building [%f/%t, %e s] ' "${command[@]}" >&2 || die "the build failed (see above)"
    else
        step "building" "${command[@]}"
    fi
}

# `satdl data fetch` shows its progress only on a terminal.
fetch_data() {
    if [ -t 2 ]; then
        env -C "$root" "$build/satdl" data fetch >&2 || die "fetching the data failed (see above)"
        return
    fi
    step "fetching and checking the data" env -C "$root" "$build/satdl" data fetch
}

# prepare [--with-tests] TARGET...
prepare() {
    local tests=()
    if [ "$1" = --with-tests ]; then tests=(--with-tests); shift; fi
    "$root/cmake/setup.sh" "${tests[@]}"
    "$root/cmake/libtorch.sh"
    configure
    compile "$@"
    fetch_data
    rm -f "$step_output"    # run.sh and test.sh end with exec, which runs no trap
}
