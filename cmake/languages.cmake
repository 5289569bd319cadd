# The interpreters: on Linux the system's, even where a version manager has
# put another first in PATH. -DPython3_EXECUTABLE and -DRuby_EXECUTABLE win.
if(CMAKE_SYSTEM_NAME STREQUAL Linux)
    find_program(Python3_EXECUTABLE python3 PATHS /usr/bin NO_DEFAULT_PATH)
    find_program(Ruby_EXECUTABLE ruby PATHS /usr/bin NO_DEFAULT_PATH)
endif()
if(NOT Python3_EXECUTABLE)
    # An empty result in the cache would stop the search below.
    unset(Python3_EXECUTABLE CACHE)
endif()

# The generator needs Python whatever is bound.
find_package(Python3 REQUIRED COMPONENTS Interpreter
    OPTIONAL_COMPONENTS Development.Module)
if(SSH2_PYTHON AND NOT Python3_Development.Module_FOUND)
    message(FATAL_ERROR "No Python headers for ${Python3_EXECUTABLE}.")
endif()

# Ask Ruby itself, with its own configuration, for how to build a module.
function(ssh2_find_ruby)
    find_program(Ruby_EXECUTABLE ruby REQUIRED)
    set(keys rubyhdrdir rubyarchhdrdir DLEXT libdir LIBRUBYARG_SHARED)
    foreach(key IN LISTS keys)
        execute_process(
            COMMAND ${Ruby_EXECUTABLE} -rrbconfig
                -e "print RbConfig::CONFIG['${key}']"
            OUTPUT_VARIABLE ${key} COMMAND_ERROR_IS_FATAL ANY)
    endforeach()
    if(NOT EXISTS ${rubyhdrdir}/ruby.h)
        message(FATAL_ERROR "No Ruby headers for ${Ruby_EXECUTABLE}.")
    endif()
    set(SSH2_RUBY_INCLUDE ${rubyhdrdir} ${rubyarchhdrdir} PARENT_SCOPE)
    set(SSH2_RUBY_SUFFIX .${DLEXT} PARENT_SCOPE)
    if(WIN32)
        set(SSH2_RUBY_LIBRARIES -L${libdir} ${LIBRUBYARG_SHARED} PARENT_SCOPE)
    endif()
endfunction()

if(SSH2_RUBY)
    ssh2_find_ruby()
endif()
