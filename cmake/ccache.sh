#!/bin/sh
# A compiler launcher: ccache, with the differences that it must ignore to take part where a precompiled header is used (it sees neither the macros in one,
# nor __TIME__). A precompiled header is removed before it is built again: else the preprocessor would read the old one, and ccache might take
# what was once made of that for what is asked for now.
case "$*" in
*c++-header*)
    for argument; do
        case "$argument" in *.gch) rm -f "$argument" ;; esac
    done
    ;;
esac
CCACHE_SLOPPINESS=pch_defines,time_macros
export CCACHE_SLOPPINESS
exec ccache "$@"
