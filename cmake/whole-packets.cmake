# libssh2 of the source build ciphers a packet by one call, where it lies, instead
# of block by block: docs/performance.md tells why, and what it brings.
option(SSH2_WHOLE_PACKETS "libssh2 of the source build ciphers whole packets" ON)

# ssh2_rewrite(file function from to code): in the function, puts the code in the
# place of what begins with `from` and ends before `to`.
function(ssh2_rewrite file function from to code)
    file(READ ${file} text)
    string(FIND "${text}" "${function}(LIBSSH2_SESSION" start)
    if(start EQUAL -1)
        string(FIND "${text}" "${function}(_libssh2_cipher_ctx" start)
    endif()
    if(NOT start EQUAL -1)
        string(SUBSTRING "${text}" 0 ${start} before)
        string(SUBSTRING "${text}" ${start} -1 text)
        string(FIND "${text}" "\n}" end)
        string(FIND "${text}" "${from}" cut)
        if(NOT cut EQUAL -1)
            string(SUBSTRING "${text}" ${cut} -1 rest)
            string(FIND "${rest}" "${to}" length)
            math(EXPR stop "${cut} + ${length}")
        endif()
    endif()
    if(start EQUAL -1 OR cut EQUAL -1 OR length EQUAL -1 OR stop GREATER end)
        message(FATAL_ERROR "${file}: ${function} is not as it was in libssh2 \
1.11.1, so it cannot be made to cipher whole packets: \"${from}\" or \"${to}\" \
is not in it. -DSSH2_WHOLE_PACKETS=OFF builds libssh2 without that change.")
    endif()
    string(SUBSTRING "${text}" 0 ${cut} kept)
    string(SUBSTRING "${text}" ${stop} -1 rest)
    file(WRITE ${file} "${before}${kept}${code}${rest}")
endfunction()

function(ssh2_whole_packets source)
    # The cipher takes any length, and writes where it reads.
    set(file ${source}/src/openssl.c)
    set(name _libssh2_cipher_crypt)
    ssh2_rewrite(${file} ${name} "unsigned char buf[" "int ret" "")
    ssh2_rewrite(${file} ${name} "sizeof(buf" ")" "((size_t)INT_MAX")
    ssh2_rewrite(${file} ${name} "EVP_Cipher(*ctx, buf" "#else"
        "EVP_Cipher(*ctx, block + aadlen, block + aadlen, cryptlen);\n")
    ssh2_rewrite(${file} ${name} "EVP_Cipher(ctx, buf" "#endif"
        "EVP_Cipher(ctx, block + aadlen, block + aadlen, cryptlen);\n")
    ssh2_rewrite(${file} ${name} "memcpy(block + aadlen" "rc =" "")

    # All of what is read of a packet is deciphered by one call.
    set(file ${source}/src/transport.c)
    ssh2_rewrite(${file} decrypt "int blocksize" "return LIBSSH2_ERROR_NONE"
        "
    /* Part of a block would be written as a whole one. */
    if(!CRYPT_FLAG_R(session, PKTLEN_AAD) &&
       len % session->remote.crypt->blocksize) {
        LIBSSH2_FREE(session, p->payload);
        p->payload = NULL;
        return LIBSSH2_ERROR_DECRYPT;
    }

    if(len > 0) {
        if(session->remote.crypt->crypt(session, 0, source, len,
                                        &session->remote.crypt_abstract,
                                        firstlast)) {
            LIBSSH2_FREE(session, p->payload);
            p->payload = NULL;
            return LIBSSH2_ERROR_DECRYPT;
        }
        memcpy(dest, source, len);
    }
    ")

    # So is all of what is sent; a tag goes by the call behind it.
    ssh2_rewrite(${file} _libssh2_transport_send "size_t i;" "/*" "")
    ssh2_rewrite(${file} _libssh2_transport_send "for(i = etm_crypt_offset"
        "/* Call crypt"
        "if(session->local.crypt->crypt(session, 0,
                                           &p->outbuf[etm_crypt_offset],
                                           packet_length - etm_crypt_offset,
                                           &session->local.crypt_abstract,
                                           CRYPT_FLAG_L(session, INTEGRATED_MAC)
                                           ? FIRST_BLOCK : LAST_BLOCK))
                return LIBSSH2_ERROR_ENCRYPT;

            ")
endfunction()
