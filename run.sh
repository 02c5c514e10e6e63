#!/usr/bin/env bash
# From a bare Debian 12 to a first result:
#
#   ./run.sh                       sets up what is missing, then runs a small version of the study: satdl-run dags/full.yaml --profile quick
#   ./run.sh dags/full.yaml        the whole study; arguments replace the default ones of satdl-run, paths are relative to the current folder
#
# A second call repeats nothing. The exit code is satdl-run's.
set -euo pipefail
# shellcheck source=cmake/build.sh
. "$(dirname "${BASH_SOURCE[0]}")/cmake/build.sh"

prepare satdl satdl_stages

# exec: signals and the exit code are satdl-run's own affair.
if [ $# -gt 0 ]; then exec "$build/satdl-run" "$@"; fi

cd "$root"
build/satdl-run dags/full.yaml --profile quick || exit    # with its exit code
cat <<'EOF'

Every tensor is in results/full/ (HDF5; links into the store, .satdl). Worth trying next:
    build/satdl show noisy@train/images                                              one of them: shape, statistics, where it comes from
    build/satdl-run dags/full.yaml --profile quick --set noise_factor=0.3 -n         what would run again, and why
    build/satdl-run dags/full.yaml --profile quick --sweep noise_factor=0.2,0.4      several values, side by side
EOF
