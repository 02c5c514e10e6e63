# Compiles through ccache where there is one: a translation unit that includes torch/torch.h takes 20-30 s.
# Include this before the first target.

find_program(SATDL_CCACHE ccache)
mark_as_advanced(SATDL_CCACHE)
if(SATDL_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_CURRENT_LIST_DIR}/ccache.sh)
    # GCC must keep the #pragma that names the precompiled header in its preprocessed output, or ccache never sees that it was used.
    add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fpch-preprocess>)
endif()
