# cmake -DPRESET=name -DLONG=ON|OFF -DROOT=[prefix] -P test-preset.cmake:
# configure, build and test it.
get_filename_component(source ${CMAKE_CURRENT_LIST_DIR} DIRECTORY)
get_filename_component(bin ${CMAKE_COMMAND} DIRECTORY)
foreach(step "cmake;--preset;${PRESET};-DSSH2_LONG=${LONG};-DSSH2_LIBSSH2_ROOT=${ROOT}"
        "cmake;--build;--preset;${PRESET};--parallel;2"
        "ctest;--preset;${PRESET};--output-on-failure;--parallel;3")
    list(POP_FRONT step tool)
    execute_process(COMMAND ${bin}/${tool} ${step}
        WORKING_DIRECTORY ${source} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
