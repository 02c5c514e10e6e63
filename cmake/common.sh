# shellcheck shell=bash
# What the set-up scripts share. Sourced, never run.
#
# All messages go to stderr: stdout belongs to satdl-run (whose --json must stay clean) and to what a script was asked for.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
deps=$root/.deps          # private and git-ignored: the LibTorch, logs, stamps
setup_log=$deps/setup.log
mkdir -p "$deps"

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# quietly COMMAND...: its output goes to the log, and to $step_output until the next one.
step_output=$deps/step.$$
trap 'rm -f "$step_output"' EXIT
quietly() {
    local rc=0 start=$SECONDS
    "$@" >"$step_output" 2>&1 </dev/null || rc=$?
    { printf '== %s: %s (exit %s, %s s)\n' "$(date '+%F %T')" "$*" "$rc" "$((SECONDS - start))"; cat "$step_output"; } >>"$setup_log"
    return "$rc"
}

# step WHAT COMMAND...: one line on the terminal; the command's own output is shown only when it fails.
step() {
    local what=$1 rc=0
    shift
    say "  $what ..."
    quietly "$@" || rc=$?
    if [ "$rc" -ne 0 ]; then
        tail -n 40 "$step_output" | sed 's/^/    | /' >&2
        say "  $what: failed (exit $rc); its full output is at the end of $setup_log"
    fi
    return "$rc"
}

# Those of the named packages that are not installed, in one dpkg-query: this runs on every call of run.sh.
missing_packages() {
    local installed
    installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null | sed -n 's/ installed$//p') || true
    printf '%s\n' "$@" | grep -vxF "${installed:-none}" || true
}

# root needs nothing; others need sudo, which may ask for a password only on a terminal.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}
can_be_root() {
    if [ "$(id -u)" = 0 ]; then return 0; fi
    if ! command -v sudo >/dev/null; then return 1; fi
    if [ -t 0 ] && [ -t 2 ]; then sudo -v; else sudo -n true 2>/dev/null; fi
}

apt_install() {
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=300)
    # The package lists of a bare image are empty, those of an old machine name versions that the mirrors no longer have: try, refresh, try again.
    as_root "${apt[@]}" install --no-install-recommends "$@" || { as_root "${apt[@]}" update && as_root "${apt[@]}" install --no-install-recommends "$@"; }
}

# install_packages WHY PACKAGE...: installs what is missing, or prints exactly what the user has to do.
install_packages() {
    local why=$1 missing
    shift
    if [ -n "${SATDL_NO_APT:-}" ]; then return 0; fi
    if ! command -v apt-get >/dev/null; then
        say "error: apt-get not found. Install the equivalent of these Debian packages:"
        say "    $*"
        say "then run: SATDL_NO_APT=1 $0"
        return 1
    fi
    mapfile -t missing < <(missing_packages "$@")
    if [ "${#missing[@]}" -eq 0 ]; then return 0; fi
    can_be_root || {
        say "error: missing packages ($why), and you are neither root nor allowed to use sudo. Ask an administrator to run"
        say "    apt-get install --no-install-recommends ${missing[*]}"
        return 1
    }
    step "installing $why: ${missing[*]}" apt_install "${missing[@]}"
}
