# All that CMakeLists.txt has to say, in a clone and in the gem.
file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/version.txt SSH2_VERSION)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
    ${CMAKE_CURRENT_LIST_DIR}/version.txt)

set(SSH2_LIBSSH2 auto CACHE STRING
    "Which libssh2: the system's, one built from source, or auto")
set_property(CACHE SSH2_LIBSSH2 PROPERTY STRINGS auto system source)
set(SSH2_LIBSSH2_ROOT "" CACHE PATH "Prefix of the libssh2 to use")
set(SSH2_LIBSSH2_ARCHIVE "" CACHE FILEPATH "libssh2's release archive")
set(SSH2_SANITIZE "" CACHE STRING
    "Sanitizers, as for -fsanitize: address,undefined or thread")
option(SSH2_FUZZ "Build the fuzzing harnesses instead of the other tests" OFF)
option(SSH2_PYTHON "Build the Python module" ON)
option(SSH2_RUBY "Build the Ruby module" ON)

list(APPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})
include(compile)
include(languages)
include(libssh2)
include(testing)

enable_testing()
foreach(folder core swig tests bench)
    if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${folder})
        add_subdirectory(${folder})
    endif()
endforeach()
