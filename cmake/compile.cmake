# How C is compiled here: optimised, with debug information, sanitized on
# demand, and with warnings as errors for the project's own code.
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Kind of build" FORCE)
endif()
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)

# For everything that is compiled, libssh2 included.
if(SSH2_SANITIZE)
    add_compile_options(-fsanitize=${SSH2_SANITIZE}
        -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${SSH2_SANITIZE})
endif()

# Give `target` the warnings, and the sanitized builds their assertions.
function(ssh2_warnings target)
    if(NOT MSVC)
        target_compile_options(${target} PRIVATE -Wall -Wextra -Werror)
        if(SSH2_SANITIZE)
            target_compile_options(${target} PRIVATE -UNDEBUG)
        endif()
    endif()
endfunction()
