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

# What is fuzzed counts which way it went; see tests/fuzz.
set(SSH2_FUZZER OFF)
if(SSH2_FUZZ)
    include(CheckCSourceCompiles)
    set(CMAKE_REQUIRED_FLAGS -fsanitize=fuzzer)
    check_c_source_compiles("#include <stddef.h>
        int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
        int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
        { return data && size == 1; }" SSH2_HAS_FUZZER)
    unset(CMAKE_REQUIRED_FLAGS)
    if(SSH2_HAS_FUZZER)
        add_compile_options(-fsanitize=fuzzer-no-link)
        set(SSH2_FUZZER ON)
    endif()
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
