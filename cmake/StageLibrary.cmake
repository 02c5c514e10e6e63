# satdl_stage_library(NAME SOURCES...): builds libNAME_stages.so and, from what it says of itself, its manifest
# libNAME_stages.json beside it. Planning reads the manifest; the library is loaded when one of its stages must run.
function(satdl_stage_library name)
    add_library(${name}_stages MODULE ${ARGN})
    target_link_libraries(${name}_stages PRIVATE satdl_stage_api)
    set_target_properties(${name}_stages PROPERTIES CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
    add_dependencies(${name}_stages satdl-manifest)
    add_custom_command(TARGET ${name}_stages POST_BUILD
        COMMAND $<TARGET_FILE:satdl-manifest> $<TARGET_FILE:${name}_stages>
        COMMENT "Writing the manifest of ${name}_stages" VERBATIM)
endfunction()
