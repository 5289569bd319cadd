# What tests/CMakeLists.txt registers its tests with.
option(SSH2_LONG "run the long form of the tests that have one" OFF)
set(SSH2_PYTHONPATH ${CMAKE_BINARY_DIR}/python)
set(SSH2_RUBYLIB ${CMAKE_BINARY_DIR}/ruby)
set(SSH2_TEST_ENVIRONMENT PYTHONPATH=${SSH2_PYTHONPATH} RUBYLIB=${SSH2_RUBYLIB}
    PYTHONDONTWRITEBYTECODE=1 SSH2_BUILD=${CMAKE_BINARY_DIR}
    SSH2_SANITIZE=${SSH2_SANITIZE})
# What is known to be lost by some systems' libssh2 (see docs/libssh2.md).
if(SSH2_LIBSSH2_KIND STREQUAL "source")
    list(APPEND SSH2_TEST_ENVIRONMENT SSH2_TRUE_STATUS=1 SSH2_TRACE=1)
    if(SSH2_WHOLE_PACKETS)
        list(APPEND SSH2_TEST_ENVIRONMENT SSH2_WHOLE_PACKETS=1)
    endif()
endif()
if(SSH2_LONG)
    list(APPEND SSH2_TEST_ENVIRONMENT SSH2_LONG=1)
endif()

# The sanitizer's runtime: an interpreter that was not built with it must have
# it loaded beforehand. Interpreters do not free all they have at their end, so
# where they run tests/leaked.py looks for what is ours of what was lost, beside
# the shared cases; Ruby has signal stacks of its own. What is too much memory is
# to be an error, as it is elsewhere.
set(SSH2_PRELOAD "")
set(SSH2_PRELOAD_LEAKS "")
if(SSH2_SANITIZE)
    set(name asan)
    if(SSH2_SANITIZE MATCHES thread)
        set(name tsan)
    endif()
    foreach(file lib${name}.so
            libclang_rt.${name}-${CMAKE_SYSTEM_PROCESSOR}.so)
        execute_process(
            COMMAND ${CMAKE_C_COMPILER} -print-file-name=${file}
            OUTPUT_VARIABLE path OUTPUT_STRIP_TRAILING_WHITESPACE)
        if(IS_ABSOLUTE "${path}" AND EXISTS "${path}")
            set(SSH2_PRELOAD ${CMAKE_COMMAND} -E env LD_PRELOAD=${path}
                "ASAN_OPTIONS=detect_leaks=0:use_sigaltstack=0:\
allocator_may_return_null=1")
            set(SSH2_PRELOAD_LEAKS ${SSH2_PRELOAD})
            if(name STREQUAL asan)
                set(SSH2_PRELOAD_LEAKS ${Python3_EXECUTABLE}
                    ${CMAKE_SOURCE_DIR}/tests/leaked.py ${path})
            endif()
        endif()
    endforeach()
endif()

# ssh2_test(name [LANGUAGE python|ruby] [SSHD] [LEAKS] [LABEL label]
#           [TIMEOUT seconds] [LONG seconds] COMMAND word...)
# A test for ctest, run from the top of the source; where its exit code is 77
# it counts as skipped. LANGUAGE: the command is, or starts, an interpreter
# that loads our module. LEAKS: memory of ours that it loses, where sanitizers
# see it, is a failure. SSHD: it is run beside the servers of tests/sshd.
# LONG: it has a long form, which may take so long; the longest start first.
function(ssh2_test name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "SSHD;LEAKS"
        "LANGUAGE;LABEL;TIMEOUT;LONG" COMMAND)
    set(cost "")
    if(SSH2_LONG AND arg_LONG)
        set(arg_TIMEOUT ${arg_LONG})
        set(cost COST ${arg_LONG})
    elseif(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 300)
    endif()
    set(command ${arg_COMMAND})
    if(arg_LANGUAGE AND arg_LEAKS)
        list(PREPEND command ${SSH2_PRELOAD_LEAKS})
    elseif(arg_LANGUAGE)
        list(PREPEND command ${SSH2_PRELOAD})
    endif()
    if(arg_SSHD)
        list(PREPEND command ${Python3_EXECUTABLE}
            ${CMAKE_SOURCE_DIR}/tests/sshd/fixture.py --)
    endif()
    add_test(NAME ${name} COMMAND ${command}
        WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(${name} PROPERTIES TIMEOUT ${arg_TIMEOUT}
        SKIP_RETURN_CODE 77 LABELS "${arg_LABEL}" ${cost}
        ENVIRONMENT "${SSH2_TEST_ENVIRONMENT}")
endfunction()

# ssh2_test_preset(name preset [LABEL label] [TIMEOUT seconds])
# A test that configures and builds `preset` and runs its tests, where that is
# not this build: in the tree that ./run uses, for sanitize and sanitize-thread
# with the kind of libssh2 used there, for system where it is another; fuzz is
# of the source always. The long form of sanitize, which runs all that the
# languages have once more, many times as slowly, is the short one.
function(ssh2_test_preset name preset)
    cmake_parse_arguments(PARSE_ARGV 2 arg "" "LABEL;TIMEOUT" "")
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 1500)
    endif()
    if(NOT CMAKE_BINARY_DIR STREQUAL ${CMAKE_SOURCE_DIR}/build OR
            preset STREQUAL SSH2_LIBSSH2_KIND OR
            (preset STREQUAL system AND NOT system_version))
        return()
    elseif(SSH2_LIBSSH2_KIND STREQUAL system AND NOT preset STREQUAL fuzz)
        string(APPEND preset -system)
    endif()
    set(long OFF)
    if(SSH2_LONG)
        set(arg_TIMEOUT 7200)
        if(NOT name STREQUAL sanitize)
            set(long ON)
        endif()
    endif()
    add_test(NAME ${name}
        COMMAND ${CMAKE_COMMAND} -DPRESET=${preset} -DLONG=${long}
            -DROOT=${SSH2_LIBSSH2_ROOT}
            -P ${CMAKE_SOURCE_DIR}/cmake/test-preset.cmake)
    # It takes longest, so it is among the first to start.
    set_tests_properties(${name} PROPERTIES TIMEOUT ${arg_TIMEOUT} COST 100000
        LABELS "${arg_LABEL}")
endfunction()
