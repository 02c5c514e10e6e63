#!/usr/bin/env bash
# A compiler launcher that logs what each object costs: "user system wall object", in seconds, a line each, to $TIMED_LOG. How to use it:
# docs/building.md. CMake leaves ccache out where a launcher is given.
TIMEFORMAT='%U %S %R'
object='' before=''
for argument in "$@"; do
    if [ "$before" = -o ]; then object=$argument; fi
    before=$argument
done
exec 3>&2
seconds=$( { time "$@" 2>&3; } 2>&1 >/dev/null )
rc=$?
echo "$seconds $object" >>"${TIMED_LOG:?the file to log to}"
exit "$rc"
