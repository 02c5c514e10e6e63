#!/usr/bin/env bash
# oneTBB built for ThreadSanitizer, from Debian's own source package; prints the folder of its libtbb.so.
#
# ThreadSanitizer sees only what was compiled for it. Through Debian's libtbb it would miss every hand-over of a task from one thread to another and call each
# a race: suppressing those would suppress ours, too, since hardly a stack in a flow graph is without a frame of oneTBB's. With this library none is needed.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

prefix=$deps/tbb-thread

# Debian's source lists as this machine has them, but of sources; in folders of our own, so that the machine's apt stays as it is.
apt_sources() { # FOLDER COMMAND...
    local folder=$1
    shift
    apt-get -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$folder/parts" -o Dir::State::lists="$folder/lists" -o APT::Sandbox::User=root "$@"
}

fetch() { # FOLDER
    local file
    mkdir -p "$1/parts" "$1/lists/partial"
    for file in /etc/apt/sources.list.d/*.sources; do
        if [ -e "$file" ]; then sed 's/^Types:.*/Types: deb-src/' "$file" >"$1/parts/$(basename "$file")"; fi
    done
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        if [ -e "$file" ]; then sed -n 's/^deb /deb-src /p' "$file" >"$1/parts/$(basename "$file" .list).list"; fi
    done
    apt_sources "$1" update
    (cd "$1" && apt_sources "$1" source --download-only onetbb && tar xf onetbb_*.orig.tar.*)
}

build() { # FOLDER
    cmake -S "$1"/oneTBB-* -B "$1/build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DTBB_SANITIZE=thread -DTBB_TEST=OFF -DTBB_STRICT=OFF -DTBBMALLOC_BUILD=OFF \
        -DTBB_DISABLE_HWLOC_AUTOMATIC_SEARCH=ON -DCMAKE_LIBRARY_OUTPUT_DIRECTORY="$1/lib"
    cmake --build "$1/build" --target tbb
}

main() {
    local folder
    if [ ! -e "$prefix/libtbb.so.12" ]; then
        rm -rf "$deps"/tbb.*
        folder=$(mktemp -d "$deps/tbb.XXXXXX")
        step "fetching Debian's source of oneTBB" fetch "$folder" || die "the source package onetbb cannot be fetched"
        step "building oneTBB for ThreadSanitizer" build "$folder" || die "oneTBB cannot be built for ThreadSanitizer"
        rm -rf "$prefix"
        mv "$(dirname "$(find "$folder" -name libtbb.so.12 | head -n 1)")" "$prefix"
        rm -rf "$folder"
    fi
    printf '%s\n' "$prefix"
}
main
