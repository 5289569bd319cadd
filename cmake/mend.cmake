# What the source build changes in libssh2: faults that the core cannot defend
# against, or only by ending a session. docs/libssh2.md tells of each.

# ssh2_mend(file expression replacement): edits a file where the expression is
# in it, and leaves SSH2_MENDED, whether it was.
function(ssh2_mend file expression replacement)
    file(READ ${file} text)
    string(REGEX REPLACE "${expression}" "${replacement}" mended "${text}")
    if(mended STREQUAL text)
        set(SSH2_MENDED OFF PARENT_SCOPE)
    else()
        file(WRITE ${file} "${mended}")
        set(SSH2_MENDED ON PARENT_SCOPE)
    endif()
endfunction()

function(ssh2_mend_source source)
    # The fix of CVE-2025-15661, where it is in, takes the number of a request
    # for the status that answers it.
    ssh2_mend(${source}/src/sftp.c
        "(packet_type == SSH_FXP_STATUS\\) {[^a-z]*if\\()([^)]*\\))"
        "\\1\\2 || \\2")

    # A chacha20-poly1305 packet that was tampered with is answered by 1, which
    # is no error but a type of packet, and read again without end.
    ssh2_mend(${source}/src/crypt.c "return \\(ret == 0 \\? 0 : 1\\)"
        "return (ret == 0 ? 0 : LIBSSH2_ERROR_DECRYPT)")
    if(NOT SSH2_MENDED)
        message(FATAL_ERROR "src/crypt.c: crypt_encrypt_chacha20_poly_buffer is
            not as it was in 1.11.1; cmake/mend.cmake is to be looked at again")
    endif()
endfunction()
