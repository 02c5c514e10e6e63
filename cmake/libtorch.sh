#!/usr/bin/env bash
# Chooses the LibTorch that satdl is built with, and prints which one and why. The choice is remembered in .deps/libtorch.choice.
#
#   cmake/libtorch.sh                   choose (or repeat the choice), install what it needs, and print it
#   cmake/libtorch.sh --prefix DIR      use the LibTorch in DIR: unpacked libtorch-*.zip, an installed PyTorch's folder `torch`, or your own build
#   cmake/libtorch.sh --use KIND        own | wheel | debian: only that one; `auto` forgets the choice and chooses again
#   ... --prefix-only                   print only its prefix, for CMAKE_PREFIX_PATH
#   ... --print                         print kind=, version=, prefix=, include=, lib=, because=, one a line (cmake/Torch.cmake reads this)
#   ... --forget-it                     with --use: do not remember
#
# In this order:
#   own     the user's: CMAKE_PREFIX_PATH or Torch_DIR in the environment, or --prefix
#   wheel   the CPU wheel of PyTorch, from pip's configured sources, else from PyTorch's own index. Only its C++ half is unpacked, into .deps/: no Python at run
#           time, nothing installed into any Python
#   debian  Debian's libtorch-dev (1.13.1), if no wheel is available
#
# Whatever is chosen must compile, link and run a small program first: a LibTorch with the old C++ ABI, or for another processor, is found out here and not
# after ten minutes of building.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

wheel_version=2.13.0+cpu       # without +cpu, pip brings several GB of CUDA
wheel_index=https://download.pytorch.org/whl/cpu
wheel_prefix=$deps/libtorch-$wheel_version
choice=$deps/libtorch.choice

# The version that the headers of a LibTorch state, or nothing if these are not the headers of a LibTorch.
version_in() { # INCLUDE_DIR
    local header
    for header in "$1/torch/headeronly/version.h" "$1/torch/csrc/api/include/torch/version.h"; do
        if [ -e "$header" ]; then
            awk '/define TORCH_VERSION_(MAJOR|MINOR|PATCH) [0-9]/ {v = v sep $3; sep = "."} END {if (v != "") print v}' "$header"
        fi
    done | head -n 1
}

# Sets kind, version, prefix, include and lib if there is a LibTorch in the folder.
look_at() { # KIND PREFIX
    local dir multiarch
    multiarch=$(g++ -print-multiarch 2>/dev/null || true)
    kind=$1 prefix=$2 include=$2/include lib=
    version=$(version_in "$include")
    for dir in "$prefix/lib" "$prefix/lib/${multiarch:-none}" "$prefix/lib64"; do
        if [ -e "$dir/libtorch_cpu.so" ] && [ -e "$dir/libc10.so" ]; then lib=$dir; break; fi
    done
    [ -n "$version" ] && [ -n "$lib" ]
}

# Does it compile, link and run? A std::string crosses the library boundary, so an old C++ ABI does not link. One second; torch/torch.h itself would take 30.
works() {
    local dir rc=0
    dir=$(mktemp -d "$deps/tmp.XXXXXX")
    cat >"$dir/try.cpp" <<'EOF'
#include <ATen/Context.h>
#include <c10/core/Device.h>
int main() { return c10::Device("cpu").str() == "cpu" && at::globalContext().userEnabledMkldnn() ? 0 : 1; }
EOF
    local flags=(-std=c++20)
    if [ "$include" != /usr/include ]; then flags+=(-isystem "$include"); fi   # named again, /usr/include breaks the standard library's #include_next
    "${CXX:-g++}" "${flags[@]}" "$dir/try.cpp" -o "$dir/try" -L"$lib" -ltorch_cpu -lc10 -Wl,-rpath,"$lib" >"$dir/log" 2>&1 && "$dir/try" >>"$dir/log" 2>&1 || rc=$?
    if [ "$rc" -ne 0 ]; then
        say "  a small program with LibTorch $version in $prefix does not compile, link and run:"
        tail -n 8 "$dir/log" | sed 's/^/    | /' >&2
        if grep -q 'undefined reference.*Device' "$dir/log"; then say "    (built for the old C++ ABI? PyTorch offers that version as cxx11-abi, too)"; fi
    fi
    rm -rf "$dir"
    return "$rc"
}

# The user's own: each entry of CMAKE_PREFIX_PATH (separated by : or ;) and Torch_DIR names the prefix or the folder of TorchConfig.cmake somewhere below it.
own_from_environment() {
    local dir up
    while IFS= read -r dir; do
        if [ -z "$dir" ]; then continue; fi
        for up in . .. ../.. ../../.. ../../../..; do
            if [ -d "$dir/$up" ] && look_at own "$(cd "$dir/$up" && pwd)"; then
                # a prefix such as /usr/local names much else: only what lies at or above a folder that has a TorchConfig.cmake of its own may lie above it
                if [ "$up" = . ] || [ -e "$dir/TorchConfig.cmake" ] || [ -e "$dir/Torch/TorchConfig.cmake" ]; then return 0; fi
            fi
        done
    done < <(printf '%s\n%s\n' "${Torch_DIR:-}" "${CMAKE_PREFIX_PATH:-}" | tr ':;' '\n')
    return 1
}

use_own() {
    if [ -n "$own_prefix" ]; then
        look_at own "$own_prefix" || die "--prefix $own_prefix: no include/torch with a version, or no lib/libtorch_cpu.so and lib/libc10.so in there"
        because="chosen with --prefix"
    elif own_from_environment; then
        because="chosen with CMAKE_PREFIX_PATH or Torch_DIR"
    else
        missed+=("own: neither CMAKE_PREFIX_PATH nor Torch_DIR names one")
        return 1
    fi
    works || die "the LibTorch that you chose does not work; choose another one, or none"
}

python_with_pip() {
    local python
    for python in python3 /usr/bin/python3; do
        if "$python" -m pip --version >/dev/null 2>&1; then printf '%s\n' "$python"; return 0; fi
    done
    return 1
}

# The interpreter's version does not matter, for none will load it: one fixed tag, so that any Python's pip can fetch it.
pip_download() { # PYTHON DIR [MORE...]
    local python=$1 dir=$2
    shift 2
    "$python" -m pip download --no-deps --only-binary=:all: --implementation cp --python-version 3.11 --abi cp311 --platform "manylinux_2_28_$(uname -m)" \
        --dest "$dir" "$@" "torch==$wheel_version"
}

# Only the C++ half: no Python sources, no tests, no libtorch_python. Of the third-party headers only what torch's own include, for its fmt would come before
# the system's on the include path.
unpack_wheel() { # WHEEL DIR
    unzip -q "$1" 'torch/lib/lib*' 'torch/include/ATen/*' 'torch/include/c10/*' 'torch/include/caffe2/*' 'torch/include/torch/*' 'torch/include/sleef.h' \
        'torch/share/cmake/*' 'torch-*/licenses/*' -x 'torch/lib/libtorch_python.so' 'torch/lib/lib*test*.so' 'torch/lib/libaoti_custom_ops.so' \
        'torch/lib/libbackend_with_compiler.so' 'torch/lib/libshm*' -d "$2" || [ $? -eq 11 ] || return   # 11: a pattern that matched nothing
    mv "$2"/torch-*/licenses "$2/torch/" || true
}

fetch_wheel() {
    local python tmp
    python=$(python_with_pip) || { install_packages "pip, to fetch the wheel of LibTorch" python3 python3-pip && python=$(python_with_pip); } || return 1
    command -v unzip >/dev/null || install_packages "unzip, to unpack the wheel" unzip || return 1
    rm -rf "$deps"/wheel.*      # what a killed run left
    tmp=$(mktemp -d "$deps/wheel.XXXXXX")
    say "  fetching torch==$wheel_version (190 MB) ..."
    if quietly pip_download "$python" "$tmp"; then
        source="pip's configured sources have"
    elif say "  pip's configured sources do not have it"    # the usual case, not an error: PyPI itself has no +cpu wheels
        step "fetching it from PyTorch's own index" pip_download "$python" "$tmp" --index-url "$wheel_index"; then
        source="PyTorch's own index has"
    else
        rm -rf "$tmp"
        return 1
    fi
    # Unpacked to a temporary folder, and renamed when complete: a folder with the final name is a complete one.
    step "unpacking it into $wheel_prefix" unpack_wheel "$tmp"/torch-*.whl "$tmp/unpacked" || { rm -rf "$tmp"; return 1; }
    rm -rf "$wheel_prefix"
    mv "$tmp/unpacked/torch" "$wheel_prefix" || return 1
    rm -rf "$tmp"
}

use_wheel() {
    source="an earlier setup fetched"
    if ! look_at wheel "$wheel_prefix" && ! fetch_wheel; then
        missed+=("wheel: torch==$wheel_version is available neither from pip's configured sources nor from PyTorch's own index")
        return 1
    fi
    if ! look_at wheel "$wheel_prefix" || ! works; then
        missed+=("wheel: torch==$wheel_version does not work on this machine")
        return 1
    fi
    version=$wheel_version
    because="no other was chosen, and $source the wheel torch==$wheel_version"
}

use_debian() {
    if ! install_packages "Debian's LibTorch" libtorch-dev || ! look_at debian /usr || ! works; then
        missed+=("debian: libtorch-dev cannot be installed or does not work")
        return 1
    fi
    version=$(dpkg-query -W -f '${Version}' libtorch-dev 2>/dev/null | sed 's/+.*//') || true    # its headers say 1.13.0
    because="Debian's libtorch-dev"
}

# A remembered choice holds until the user names another LibTorch or this one is gone.
remembered() {
    local line named
    if [ ! -e "$choice" ]; then return 1; fi
    if own_from_environment; then named=$prefix; fi
    while IFS= read -r line; do
        case "$line" in
        kind=*) kind=${line#*=} ;; version=*) version=${line#*=} ;; prefix=*) prefix=${line#*=} ;;
        include=*) include=${line#*=} ;; lib=*) lib=${line#*=} ;; because=*) because=${line#*=} ;;
        esac
    done <"$choice"
    [ -e "$lib/libtorch_cpu.so" ] && [ -d "$include/torch" ] && [ "${named:-$prefix}" = "$prefix" ]
}

choose() { # KIND, or auto
    missed=()
    case "$1" in
    auto) use_own || use_wheel || use_debian ;;
    own) use_own ;;
    wheel) use_wheel ;;
    debian) use_debian ;;
    *) die "--use $1: must be own, wheel, debian or auto" ;;
    esac || {
        say "error: no usable LibTorch found:"
        printf '    %s\n' "${missed[@]}" >&2
        say "  download one yourself and choose it: cmake/libtorch.sh --prefix /where/libtorch/is"
        exit 1
    }
    if [ "$1" != auto ] && [ -z "$own_prefix" ]; then because="chosen with --use $1"; fi
    # Debian's is the last resort: the reason is why the wheel was not used.
    if [ "$1" = auto ] && [ "$kind" = debian ]; then because="$because, since ${missed[*]: -1} (cmake/libtorch.sh --use auto tries again)"; fi
}

as_text() { printf 'kind=%s\nversion=%s\nprefix=%s\ninclude=%s\nlib=%s\nbecause=%s\n' "$kind" "$version" "$prefix" "$include" "$lib" "$because"; }

main() {
    local use="" output=say remember=yes
    own_prefix='' kind='' version='' prefix='' include='' lib='' because=''
    while [ $# -gt 0 ]; do
        case "$1" in
        --use) use=${2:?"--use needs own, wheel, debian or auto"}; shift ;;
        --prefix) own_prefix=$(cd "${2:?--prefix needs a folder}" && pwd); use=own; shift ;;
        --prefix-only) output=prefix ;;
        --print) output=all ;;
        --forget-it) remember=no ;;
        *) die "unknown argument $1; see the top of cmake/libtorch.sh" ;;
        esac
        shift
    done

    exec 9>"$deps/libtorch.lock"
    flock 9      # two builds at once: one fetches, the other waits for it
    if [ -n "$use" ] || ! remembered; then
        rm -rf "$deps"/tmp.*
        choose "${use:-auto}"
        # Written only when it differs: its time of change is what makes an existing build reconfigure itself.
        if [ "$remember" = yes ] && [ "$(as_text)" != "$(cat "$choice" 2>/dev/null)" ]; then
            as_text >"$choice.new"
            mv "$choice.new" "$choice"
        fi
    fi
    case "$output" in
    prefix) printf '%s\n' "$prefix" ;;
    all) as_text ;;
    say) say "  LibTorch $version ($kind) in $prefix: $because" ;;
    esac
}
main "$@"
