#!/usr/bin/env bash
# Sets up what is missing, as run.sh does, and runs the tests.
#
#   ./test.sh              every test but the slow ones and those of reliability, remote and cluster (.ci/run has those)
#   ./test.sh -R dag       arguments go to ctest: here only the tests whose name has "dag" in it; -L LABEL: unit, schedule, stages, e2e, reliability, remote, cluster, slow
set -euo pipefail
# shellcheck source=cmake/build.sh
. "$(dirname "${BASH_SOURCE[0]}")/cmake/build.sh"

prepare --with-tests all

if [ $# -eq 0 ]; then set -- -LE 'slow|reliability|remote|cluster'; fi
exec ctest --test-dir "$build" -j "$(nproc)" --output-on-failure "$@"
