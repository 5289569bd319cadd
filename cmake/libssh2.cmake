# libssh2: defines the target ssh2::libssh2, and says which one it is in
# SSH2_LIBSSH2_REVISION. The headers' folder is SSH2_LIBSSH2_INCLUDE, the
# library's file SSH2_LIBSSH2_LIBRARY.
#
#   system  the one installed, or that in SSH2_LIBSSH2_ROOT
#   source  1.11.1, by preference as Debian's source package with its fixes;
#           the archives are checked against their checksums and kept in
#           SSH2_LIBSSH2_CACHE, so that one fetch serves every build
#   auto    system from 1.11 on, else source, else system with a warning
#
# SSH2_LIBSSH2_KIND tells what it came to: system or source.
set(release 1.11.1)
set(release_file libssh2_${release}.orig.tar.gz)
set(release_url
    https://libssh2.org/download/libssh2-${release}.tar.gz)
set(release_sha256
    d9ec76cbe34db98eec3539fe2c899d26b0c837cb3eb466a56b0f109cabf658f7)
set(debian_revision 1+deb13u2)
set(debian_sha256
    ee81e3ea0d65fdbc979c50f1433966d0139e33ac09242d7dc7c83567139126a7)
set(cves CVE-2025-15661 CVE-2026-7598 CVE-2026-55199 CVE-2026-55200
    CVE-2026-58050 CVE-2026-58051 CVE-2026-66032 CVE-2026-66033
    CVE-2026-66034 CVE-2026-66035)

include(mend)
include(whole-packets)
cmake_path(IS_PREFIX CMAKE_SOURCE_DIR ${CMAKE_BINARY_DIR} in_tree)
if(in_tree)
    set(cache ${CMAKE_SOURCE_DIR}/build/libssh2-source)
else()
    set(cache ${CMAKE_BINARY_DIR}/libssh2-source)
endif()
set(SSH2_LIBSSH2_CACHE ${cache} CACHE PATH "Where archives are kept")

# Say what is wrong with the libssh2 in use, now and, by a file that ./run
# shows, with each use of the build.
function(ssh2_libssh2_warning text)
    message(WARNING ${text})
    file(WRITE ${CMAKE_BINARY_DIR}/libssh2-warning "${text}\n")
endfunction()
file(REMOVE ${CMAKE_BINARY_DIR}/libssh2-warning)

# Look for an installed libssh2; leaves `system_include`, `system_library` and
# `system_version`, which is empty if there is none.
function(ssh2_find_system)
    if(SSH2_LIBSSH2_ROOT)
        set(where PATHS ${SSH2_LIBSSH2_ROOT} NO_DEFAULT_PATH)
    else()
        find_package(PkgConfig QUIET)
        if(PKG_CONFIG_FOUND)
            pkg_check_modules(found QUIET libssh2)
        endif()
        set(where HINTS ${found_INCLUDEDIR} ${found_LIBDIR})
    endif()
    set(suffixes PATH_SUFFIXES include lib lib64
        lib/${CMAKE_LIBRARY_ARCHITECTURE})
    find_path(system_include libssh2.h ${where} ${suffixes} NO_CACHE)
    find_library(system_library NAMES ssh2 libssh2 ${where} ${suffixes}
        NO_CACHE)
    set(system_version "")
    if(system_include AND system_library)
        file(STRINGS ${system_include}/libssh2.h line
            REGEX "^#define LIBSSH2_VERSION +\"" LIMIT_COUNT 1)
        string(REGEX REPLACE ".*\"([^\"]*)\".*" "\\1" system_version
            "${line}")
    endif()
    set(system_include ${system_include} PARENT_SCOPE)
    set(system_library ${system_library} PARENT_SCOPE)
    set(system_version ${system_version} PARENT_SCOPE)
endfunction()

macro(ssh2_use_system)
    add_library(ssh2_libssh2 INTERFACE)
    target_include_directories(ssh2_libssh2 SYSTEM INTERFACE
        ${system_include})
    target_link_libraries(ssh2_libssh2 INTERFACE ${system_library})
    if(system_library MATCHES "\\.a$")
        find_package(OpenSSL REQUIRED)
        find_package(ZLIB REQUIRED)
        target_link_libraries(ssh2_libssh2 INTERFACE
            OpenSSL::Crypto ZLIB::ZLIB)
    endif()
    set(SSH2_LIBSSH2_REVISION "${system_version} (installed)")
    set(SSH2_LIBSSH2_INCLUDE ${system_include})
    set(SSH2_LIBSSH2_LIBRARY ${system_library})
endmacro()

# Stop unless `file` has the checksum `expected`.
function(ssh2_check_archive file expected)
    file(SHA256 ${file} actual)
    if(NOT actual STREQUAL expected)
        message(FATAL_ERROR "${file} is refused: its SHA-256 is\n"
            "  ${actual}\nand should be\n  ${expected}")
    endif()
endfunction()

# The Debian patches in `folder`, in `patches`: the newest whose checksum is
# known, from here or from apt (see debian-source.sh), or none.
function(ssh2_find_patches folder)
    file(GLOB files ${folder}/libssh2_${release}-*.debian.tar.xz)
    list(SORT files COMPARE NATURAL ORDER DESCENDING)
    set(patches "" PARENT_SCOPE)
    foreach(file IN LISTS files)
        get_filename_component(name ${file} NAME)
        if(name STREQUAL libssh2_${release}-${debian_revision}.debian.tar.xz)
            set(sum ${debian_sha256})
        elseif(EXISTS ${folder}/${name}.sha256)
            file(READ ${folder}/${name}.sha256 sum LIMIT 64)
        else()
            continue()
        endif()
        ssh2_check_archive(${file} ${sum})
        set(patches ${file} PARENT_SCOPE)
        break()
    endforeach()
endfunction()

# Get the archives: `archive`, and `patches` where there are any. `archive`
# is empty if there is no way to get it.
function(ssh2_get_archives)
    set(patches "")
    if(SSH2_LIBSSH2_ARCHIVE)
        set(archive ${SSH2_LIBSSH2_ARCHIVE})
        if(NOT EXISTS ${archive})
            message(FATAL_ERROR "${archive} is not there.")
        endif()
        ssh2_check_archive(${archive} ${release_sha256})
        get_filename_component(folder ${archive} DIRECTORY)
        ssh2_find_patches(${folder})
    else()
        set(archive ${SSH2_LIBSSH2_CACHE}/${release_file})
        if(EXISTS ${archive})
            ssh2_check_archive(${archive} ${release_sha256})
        endif()
        ssh2_find_patches(${SSH2_LIBSSH2_CACHE})
        find_program(APT_GET apt-get)
        if(APT_GET AND NOT (EXISTS ${archive} AND patches))
            message(STATUS "Fetching libssh2's source package with apt")
            execute_process(
                COMMAND sh ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/debian-source.sh
                    ${release} ${SSH2_LIBSSH2_CACHE}
                RESULT_VARIABLE failed)
            if(failed)
                message(STATUS "apt has no source package of it")
            else()
                ssh2_check_archive(${archive} ${release_sha256})
                ssh2_find_patches(${SSH2_LIBSSH2_CACHE})
            endif()
        endif()
        if(NOT EXISTS ${archive})
            message(STATUS "Fetching ${release_url}")
            file(DOWNLOAD ${release_url} ${archive}.part
                STATUS status TIMEOUT 120 INACTIVITY_TIMEOUT 20)
            list(POP_FRONT status failed)
            if(failed)
                message(STATUS "${release_url}: ${status}")
                file(REMOVE ${archive}.part)
                set(archive "")
            else()
                ssh2_check_archive(${archive}.part ${release_sha256})
                file(RENAME ${archive}.part ${archive})
            endif()
        endif()
    endif()
    set(archive ${archive} PARENT_SCOPE)
    set(patches ${patches} PARENT_SCOPE)
endfunction()

# Unpack what ssh2_get_archives found and apply the patches; sets
# SSH2_LIBSSH2_REVISION and `source`, the folder, which is complete if there.
function(ssh2_unpack)
    set(revision "${release} (bare release)")
    set(source ${CMAKE_BINARY_DIR}/libssh2/${release})
    if(patches)
        get_filename_component(package ${patches} NAME)
        string(REGEX REPLACE "libssh2_|.debian.tar.xz" "" package ${package})
        set(revision "${release} (Debian ${package})")
        set(source ${CMAKE_BINARY_DIR}/libssh2/${package})
    endif()
    # Other edits make another tree.
    file(READ ${CMAKE_SOURCE_DIR}/cmake/mend.cmake edits)
    if(SSH2_WHOLE_PACKETS)
        file(READ ${CMAKE_SOURCE_DIR}/cmake/whole-packets.cmake more)
        string(APPEND edits "${more}")
    endif()
    string(SHA256 edits "${edits}")
    string(SUBSTRING ${edits} 0 8 edits)
    string(APPEND source -${edits})
    if(NOT EXISTS ${source})
        set(work ${CMAKE_BINARY_DIR}/libssh2/unpack)
        file(REMOVE_RECURSE ${work})
        file(ARCHIVE_EXTRACT INPUT ${archive} DESTINATION ${work})
        file(GLOB tree ${work}/*)
        if(patches)
            file(ARCHIVE_EXTRACT INPUT ${patches} DESTINATION ${tree})
            find_program(PATCH patch REQUIRED)
            file(STRINGS ${tree}/debian/patches/series series REGEX "^[^#]")
            foreach(name IN LISTS series)
                execute_process(
                    COMMAND ${PATCH} -p1 -s -f -i debian/patches/${name}
                    WORKING_DIRECTORY ${tree}
                    COMMAND_ERROR_IS_FATAL ANY)
            endforeach()
        endif()
        ssh2_mend_source(${tree})
        if(SSH2_WHOLE_PACKETS)
            ssh2_whole_packets(${tree})
        endif()
        file(RENAME ${tree} ${source})
        file(REMOVE_RECURSE ${work})
    endif()

    set(open ${cves})
    if(patches)
        file(STRINGS ${source}/debian/patches/series series REGEX "^[^#]")
        foreach(name IN LISTS series)
            string(REGEX MATCH "CVE-[0-9]+-[0-9]+" cve ${name})
            list(REMOVE_ITEM open "${cve}")
        endforeach()
    endif()
    set(fixed ${cves})
    if(open)
        list(REMOVE_ITEM fixed ${open})
        list(JOIN open ", " open)
        ssh2_libssh2_warning("libssh2 ${revision} has weaknesses that are \
known and not fixed in it: ${open}. Debian's source package has fixes.")
    endif()
    list(JOIN fixed " " fixed)
    set(SSH2_LIBSSH2_FIXES ${fixed} PARENT_SCOPE)
    set(SSH2_LIBSSH2_REVISION ${revision} PARENT_SCOPE)
    set(source ${source} PARENT_SCOPE)
endfunction()

# Build it by its own rules: static, nothing exported, OpenSSL and zlib, no
# assertions. Its "none" cipher and MAC are for fuzzing alone, where a fake
# server speaks in the clear.
function(ssh2_add_source)
    set(CMAKE_POLICY_DEFAULT_CMP0077 NEW)
    set(CMAKE_WARN_DEPRECATED OFF)
    set(CMAKE_EXPORT_NO_PACKAGE_REGISTRY ON)
    set(CMAKE_MESSAGE_LOG_LEVEL WARNING)
    set(BUILD_SHARED_LIBS OFF)
    set(BUILD_STATIC_LIBS ON)
    set(BUILD_EXAMPLES OFF)
    set(BUILD_TESTING OFF)
    set(CRYPTO_BACKEND OpenSSL)
    set(ENABLE_ZLIB_COMPRESSION ON)
    set(ENABLE_DEBUG_LOGGING ON)
    set(PICKY_COMPILER OFF)
    # Otherwise its public functions are marked as visible one by one.
    set(HIDE_SYMBOLS OFF)
    add_subdirectory(${source} ${CMAKE_BINARY_DIR}/libssh2/build
        EXCLUDE_FROM_ALL)
    target_compile_definitions(libssh2_static PRIVATE NDEBUG)
    if(SSH2_FUZZ)
        target_compile_definitions(libssh2_static PRIVATE
            LIBSSH2_CRYPT_NONE_INSECURE LIBSSH2_MAC_NONE_INSECURE)
    endif()
    add_library(ssh2_libssh2 INTERFACE)
    target_include_directories(ssh2_libssh2 SYSTEM INTERFACE
        ${source}/include)
    target_link_libraries(ssh2_libssh2 INTERFACE libssh2_static)
endfunction()

ssh2_find_system()
set(SSH2_LIBSSH2_KIND ${SSH2_LIBSSH2})
if(SSH2_LIBSSH2_ROOT)
    set(SSH2_LIBSSH2_KIND system)
elseif(SSH2_LIBSSH2_KIND STREQUAL auto)
    set(SSH2_LIBSSH2_KIND source)
    if(system_version VERSION_GREATER_EQUAL 1.11)
        set(SSH2_LIBSSH2_KIND system)
    endif()
endif()

if(SSH2_LIBSSH2_KIND STREQUAL source)
    ssh2_get_archives()
    if(NOT archive AND system_version AND SSH2_LIBSSH2 STREQUAL auto)
        ssh2_libssh2_warning("libssh2 ${release} cannot be had, so the \
system's ${system_version} is used: it lacks functions, and perhaps fixes. \
To try again, delete ${CMAKE_BINARY_DIR}.")
        set(SSH2_LIBSSH2_KIND system)
    elseif(NOT archive)
        message(FATAL_ERROR "libssh2 ${release} cannot be had: neither from "
            "apt nor from its site. Name the archive with "
            "-DSSH2_LIBSSH2_ARCHIVE=${release_file}, or use the system's "
            "with -DSSH2_LIBSSH2=system.")
    endif()
endif()

if(SSH2_LIBSSH2_KIND STREQUAL source)
    ssh2_unpack()
    ssh2_add_source()
    set(SSH2_LIBSSH2_INCLUDE ${source}/include)
    set(SSH2_LIBSSH2_LIBRARY $<TARGET_FILE:libssh2_static>)
elseif(NOT SSH2_LIBSSH2_KIND STREQUAL system)
    message(FATAL_ERROR "SSH2_LIBSSH2 is auto, system or source.")
elseif(NOT system_version)
    message(FATAL_ERROR "No libssh2 with its headers is installed, "
        "or none in SSH2_LIBSSH2_ROOT.")
else()
    ssh2_use_system()
endif()
add_library(ssh2::libssh2 ALIAS ssh2_libssh2)
message(STATUS "libssh2: ${SSH2_LIBSSH2_REVISION}")
file(WRITE ${CMAKE_BINARY_DIR}/libssh2-revision "${SSH2_LIBSSH2_REVISION}\n")
