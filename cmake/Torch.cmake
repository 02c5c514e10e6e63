# The LibTorch that cmake/libtorch.sh chose, as the target satdl::torch.
#
#   in:  SATDL_LIBTORCH = auto (default) | own | wheel | debian; CMAKE_PREFIX_PATH and Torch_DIR, which name one's own
#   out: satdl::torch; SATDL_TORCH_VERSION (2.13.0+cpu), SATDL_TORCH_KIND (own | wheel | debian), SATDL_TORCH_LIB_DIR, SATDL_TORCH_HAS_CUDA
#
# Why not find_package(Torch): LibTorch's own package files ask for whatever it was once built with (MKL, CUDA's compiler, protobuf, kineto), warn about what is
# missing, and push compiler flags on everything that links them. Its libraries state in themselves what they need; so they are imported as they are: the
# include folders as system ones, no flags. libtorch.sh has already proved that a program compiles, links and runs.

set(SATDL_LIBTORCH auto CACHE STRING "Which LibTorch: auto, own, wheel or debian (cmake/libtorch.sh says more)")
set_property(CACHE SATDL_LIBTORCH PROPERTY STRINGS auto own wheel debian)

function(satdl_choose_libtorch out)
    set(arguments --print)
    if(NOT SATDL_LIBTORCH STREQUAL "auto")
        # A build that asks for a kind (CI's second one) does not change what the others use.
        list(APPEND arguments --use ${SATDL_LIBTORCH} --forget-it)
    endif()
    set(environment)
    foreach(name CMAKE_PREFIX_PATH Torch_DIR)
        if(${name})
            string(REPLACE ";" ":" value "${${name}}")
            list(APPEND environment ${name}=${value})
        endif()
    endforeach()
    execute_process(
        COMMAND ${CMAKE_COMMAND} -E env ${environment} CXX=${CMAKE_CXX_COMPILER} ${PROJECT_SOURCE_DIR}/cmake/libtorch.sh ${arguments}
        OUTPUT_VARIABLE text RESULT_VARIABLE result)
    if(NOT result EQUAL 0)
        message(FATAL_ERROR "cmake/libtorch.sh found no LibTorch (its reasons stand above). Without one: -DSATDL_STAGES=OFF")
    endif()
    set(${out} "${text}" PARENT_SCOPE)
endfunction()

function(satdl_import_torch)
    satdl_choose_libtorch(text)
    foreach(name kind version prefix include lib because)
        if(NOT text MATCHES "(^|\n)${name}=([^\n]*)")
            message(FATAL_ERROR "cmake/libtorch.sh says no ${name}:\n${text}")
        endif()
        set(${name} "${CMAKE_MATCH_2}")
    endforeach()
    message(STATUS "LibTorch ${version} (${kind}) in ${prefix}: ${because}")
    set(SATDL_TORCH_VERSION "${version}" PARENT_SCOPE)
    set(SATDL_TORCH_KIND "${kind}" PARENT_SCOPE)
    set(SATDL_TORCH_LIB_DIR "${lib}" PARENT_SCOPE)

    # An imported library with its full path: CMake then writes its folder into the RPATH of what links it in the build tree.
    foreach(name c10 torch_cpu torch c10_cuda torch_cuda)
        if(EXISTS "${lib}/lib${name}.so")
            add_library(satdl::torch_${name} SHARED IMPORTED GLOBAL)
            set_target_properties(satdl::torch_${name} PROPERTIES IMPORTED_LOCATION "${lib}/lib${name}.so")
            list(APPEND libraries satdl::torch_${name})
        endif()
    endforeach()

    if(TARGET satdl::torch_torch_cuda)
        set(SATDL_TORCH_HAS_CUDA ON PARENT_SCOPE)
    else()
        set(SATDL_TORCH_HAS_CUDA OFF PARENT_SCOPE)
    endif()

    add_library(satdl::torch INTERFACE IMPORTED GLOBAL)
    set(include_folders "${include}/torch/csrc/api/include")
    if(NOT include STREQUAL "/usr/include")     # named again, it would break the standard library's #include_next
        list(PREPEND include_folders "${include}")
    endif()
    # Nothing of ours calls torch_cuda by name: it registers itself when loaded, so the linker must not drop it as unused.
    target_include_directories(satdl::torch SYSTEM INTERFACE ${include_folders})
    target_link_libraries(satdl::torch INTERFACE -Wl,--push-state,--no-as-needed ${libraries} -Wl,--pop-state)

    # Another choice (cmake/libtorch.sh --use ...) configures this build again at the next `cmake --build`.
    if(SATDL_LIBTORCH STREQUAL "auto")
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/.deps/libtorch.choice)
    endif()
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/libtorch.sh)
endfunction()

satdl_import_torch()
