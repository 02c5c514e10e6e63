# Compiles through ccache where there is one: a translation unit that includes torch/torch.h takes 20-30 s.
# Include this before the first target.

find_program(SATDL_CCACHE ccache)
mark_as_advanced(SATDL_CCACHE)
if(SATDL_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    # Without these two, ccache refuses whatever is compiled with a precompiled header: it cannot see the macros in it, nor __TIME__.
    # `env` and not `cmake -E env`, which takes longer than a cache hit.
    find_program(SATDL_ENV env REQUIRED)
    mark_as_advanced(SATDL_ENV)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${SATDL_ENV} CCACHE_SLOPPINESS=pch_defines,time_macros ${SATDL_CCACHE})
    # GCC must keep the #pragma that names the precompiled header in its preprocessed output, or ccache never sees that it was used.
    add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fpch-preprocess>)
endif()
