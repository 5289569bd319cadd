# What the source build changes in libssh2: faults that the core cannot defend
# against, or only by ending a session. docs/libssh2.md tells of each.

# ssh2_mend(file expression replacement [IF_THERE]): edits a file; stops where
# the expression is not in it, unless there may be nothing to mend.
function(ssh2_mend file expression replacement)
    file(READ ${file} text)
    string(REGEX REPLACE "${expression}" "${replacement}" mended "${text}")
    if(NOT mended STREQUAL text)
        file(WRITE ${file} "${mended}")
    elseif(NOT "IF_THERE" IN_LIST ARGN)
        message(FATAL_ERROR "${file} is not as it was in libssh2 1.11.1: what
            cmake/mend.cmake mends by\n${expression}\nis to be looked at again")
    endif()
endfunction()

function(ssh2_mend_source source)
    # The fix of CVE-2025-15661, where it is in, takes the number of a request
    # for the status that answers it.
    ssh2_mend(${source}/src/sftp.c
        "(packet_type == SSH_FXP_STATUS\\) {[^a-z]*if\\()([^)]*\\))"
        "\\1\\2 || \\2" IF_THERE)

    # A chacha20-poly1305 packet that was tampered with is answered by 1, which
    # is no error but a type of packet, and read again without end.
    ssh2_mend(${source}/src/crypt.c "return \\(ret == 0 \\? 0 : 1\\)"
        "return (ret == 0 ? 0 : LIBSSH2_ERROR_DECRYPT)")

    # A host's key is forgotten where the handshake fails after it has come.
    ssh2_mend(${source}/src/session.c
        "( *if\\(session->state & LIBSSH2_STATE_NEWKEYS\\) {)(\n *[/][*] hostkey [*][/][^}]*})"
        "\\2\n\n\\1")

    # Each exchange of keys forgets the host's key of the one before.
    set(forget "if(session->server_hostkey) {
            LIBSSH2_FREE(session, session->server_hostkey);
            session->server_hostkey = NULL;
            session->server_hostkey_len = 0; }")
    foreach(where "session->server_hostkey_len = \\(uint32_t\\)hostkey_len;"
            "if\\(_libssh2_copy_string\\(session, &buf, &\\(session->server_hostkey\\)")
        ssh2_mend(${source}/src/kex.c "${where}" "${forget}\n        \\0")
    endforeach()

    # Each ECDH with OpenSSL 3 forgets the server's public key.
    ssh2_mend(${source}/src/openssl.c
        "(if\\(server_key_ctx\\)[^;]*;\n)(#else\n *if\\(server_public_key_point)"
        "\\1    EVP_PKEY_free(peer_key);
    EVP_PKEY_CTX_free(key_fromdata_ctx);
    BN_CTX_free(bn_ctx);\n\\2")

    # A signal whose name is said to be longer than its packet is told with
    # what was in memory; the name of another before it is forgotten.
    ssh2_mend(${source}/src/packet.c "if\\(namelen <= UINT_MAX - 1\\)"
        "if(channelp->exit_signal)
                            LIBSSH2_FREE(session, channelp->exit_signal);
                        if(namelen <= datalen - strlen(\"exit-signal\") - 14)")
    ssh2_mend(${source}/src/packet.c
        "if\\(!channelp->exit_signal\\)(\n *rc = [^\"]*\"memory for signal name)"
        "if(!channelp->exit_signal &&
                           namelen <= datalen - strlen(\"exit-signal\") - 14)\\1")
    ssh2_mend(${source}/src/packet.c
        "else (if\\(\\(strlen\\(\"exit-signal\"\\) \\+ 14 \\+ namelen)"
        "else if(channelp->exit_signal)
                            \\1")

    # Base64 that is not padded is decoded into too little memory.
    ssh2_mend(${source}/src/misc.c "\\(src_len / 4\\) \\* 3\\) \\+ 1"
        "(src_len / 4) * 3) + 4")

    # Each list of authentication methods forgets the one before.
    ssh2_mend(${source}/src/userauth.c
        "if\\(session->userauth_list_state == libssh2_NB_state_idle\\) {"
        "\\0
        if(session->userauth_list_data) {
            LIBSSH2_FREE(session, session->userauth_list_data);
            session->userauth_list_data = NULL; }")

    # A private key that does not name its type is forgotten.
    ssh2_mend(${source}/src/openssl.c
        "_libssh2_get_string\\(decrypted, &buf, NULL\\);"
        "\\0
    if(rc || !buf)
        _libssh2_string_buf_free(session, decrypted);")

    # A packet that ends within its first block is freed, but goes on being read:
    # without end, and into what was freed.
    ssh2_mend(${source}/src/transport.c
        "(LIBSSH2_FREE\\(session, p->payload\\);)(\n *return LIBSSH2_ERROR_OUT_OF_BOUNDARY)"
        "\\1\n            p->payload = NULL;\n            p->total_num = 0;\\2")

    # An ECDSA key whose private number is empty makes memory be swapped without
    # end, from before it on.
    ssh2_mend(${source}/src/openssl.c "j = len - 1; i < j;"
        "j = len ? len - 1 : 0; i < j;")

    # The answer to a request is waited for though the server has closed the
    # channel; elsewhere the core asks, but SFTP's own channel is out of reach.
    ssh2_mend(${source}/src/channel.c
        "(process_packet_requirev_state\\);\n *)(if\\(rc == LIBSSH2_ERROR_EAGAIN)"
        "\\1if(rc == LIBSSH2_ERROR_EAGAIN && channel->remote.close)
            rc = LIBSSH2_ERROR_CHANNEL_CLOSED;
        \\2")

    # Keys that are exchanged again come with other methods, whose functions are
    # used at once, with the state that the old ones have. The core holds them to
    # what was agreed on from the handshake's end; here it is from the first keys.
    ssh2_mend(${source}/src/kex.c "endpoint->(crypt|mac|comp) = ([^;]+);"
        "if(session->state & LIBSSH2_STATE_NEWKEYS && endpoint->\\1 != \\2)
                    return -1;
                endpoint->\\1 = \\2;")

    # What an SFTP server said is forgotten where it is not taken for one.
    ssh2_mend(${source}/src/sftp.c "sftp_init_error:\n"
        "\\0        if(session->sftpInit_sftp) {
            sftp_packet_flush(session->sftpInit_sftp);
            if(session->sftpInit_sftp->partial_packet)
                LIBSSH2_FREE(session, session->sftpInit_sftp->partial_packet);
            session->sftpInit_sftp->partial_packet = NULL; }")

    # The name of a key's type that only begins like a certificate's is taken for
    # the whole, which its packet has no room for.
    ssh2_mend(${source}/src/userauth.c
        "(plain_method\\(char [*]method, size_t method_len\\)\n{)"
        "\\1
    if(method_len < 12 || memcmp(method + method_len - 12, \"@openssh.com\", 12))
        return method_len;")

    # The key of a MAC that AES-GCM has no use for is forgotten.
    ssh2_mend(${source}/src/mac.c "(mac_method_none_init\\([^{]*{)"
        "\\1
    *free_key = 1;")

    # A handshake that was given up amid its exchange of keys forgets what it had
    # of them where the server begins another.
    ssh2_mend(${source}/src/packet.c
        "memset\\(&session->startup_key_state,"
        "if(session->kex && session->kex->cleanup)
            session->kex->cleanup(session,
                                  &session->startup_key_state.key_state_low);
        \\0")

    # What a client lists among its methods of key exchange to say that it knows
    # an extension is agreed on, where a server lists it, though it has no
    # function: NULL is called.
    ssh2_mend(${source}/src/kex.c
        "if\\(kex_agree_hostkey\\(session, ([^-]+)->flags"
        "if(\\1->exchange_keys &&
                   kex_agree_hostkey(session, \\1->flags")

    # A cipher that OpenSSL cannot begin with, as those of its legacy provider,
    # is forgotten.
    ssh2_mend(${source}/src/openssl.c "    return rc;\n#else\n# if LIBSSH2_AES_GCM"
        "    if(rc)
        EVP_CIPHER_CTX_free(*h);
\\0")

    # The version of an SFTP server that has ended already is waited for without
    # end. What that channel was is given back by a call that only seems to block.
    ssh2_mend(${source}/src/sftp.c
        "(packet_header_len\\);\n *if\\(rc == LIBSSH2_ERROR_EAGAIN\\)\n[^\n]*\n)( *else if\\(rc < 0)"
        "\\1            else if(rc == 0 && channel->remote.eof)
                return _libssh2_error(session, LIBSSH2_ERROR_CHANNEL_CLOSED,
                                      \"the server has ended SFTP\");
\\2")
    ssh2_mend(${source}/src/sftp.c
        "\"Timeout waiting for response from SFTP subsystem\""
        "\"no version came from the SFTP subsystem\"")
    ssh2_mend(${source}/src/sftp.c
        "(sftpInit_sftp = NULL;\n *}\n *session->sftpInit_state = libssh2_NB_state_idle;\n *)return NULL;"
        "\\1return sftp_init(session);")

    # All answers that nobody has asked for are gone through for each packet that
    # comes: of many, for minutes.
    ssh2_mend(${source}/src/sftp.c
        "packet = LIBSSH2_ALLOC\\(session, sizeof\\(LIBSSH2_SFTP_PACKET\\)\\);"
        "for(packet = _libssh2_list_first(&sftp->packets); packet;
        packet = _libssh2_list_next(&packet->node))
        kept++;
    if(kept > 10000) {
        sftp->last_errno = LIBSSH2_FX_OK;
        return _libssh2_error(session, LIBSSH2_ERROR_SFTP_PROTOCOL,
                              \"more answers than were asked for\");
    }
    \\0")
    ssh2_mend(${source}/src/sftp.c
        "uint32_t request_id;\n\n *if\\(data_len < 5\\)"
        "unsigned kept = 0;\n    \\0")

    # A flush that waits for the end of a key exchange takes what it flushed off
    # the window each time it is tried.
    ssh2_mend(${source}/src/channel.c
        "(channel->flush_state = libssh2_NB_state_created;\n)( *}\n)(\n *channel->read_avail -=[^;]*;[^;]*;\n)"
        "\\1\\3\\2")

    # A widening of the window that waits for it is reckoned with what the next
    # reader would widen it by.
    ssh2_mend(${source}/src/channel.c
        "(channel->adjust_state = libssh2_NB_state_created;\n *})(\n)"
        "\\1
    else
        adjustment = _libssh2_ntohu32(&channel->adjust_adjust[5]);\\2")
    ssh2_mend(${source}/src/channel.c
        "\\(channel->read_state == libssh2_NB_state_jump1\\) \\|\\|"
        "(channel->adjust_state != libssh2_NB_state_idle) ||")

    # The padding of a packet whose MAC is made of what is encrypted is believed to
    # be shorter than that; and one that is less than a block is freed twice.
    ssh2_mend(${source}/src/transport.c
        "p->padding_length = first_block\\[0\\];"
        "\\0
                if(p->padding_length > p->packet_length - 1) {
                    LIBSSH2_FREE(session, decrypt_buffer);
                    LIBSSH2_FREE(session, p->payload);
                    p->payload = NULL;
                    p->total_num = 0;
                    return LIBSSH2_ERROR_DECRYPT;
                }" IF_THERE)
    ssh2_mend(${source}/src/transport.c
        "(LIBSSH2_FREE\\(session, p->payload\\);)(\n *return LIBSSH2_ERROR_DECRYPT;)"
        "\\1\n                    p->payload = NULL;\n                    p->total_num = 0;\\2")

    # The algorithms that a server tells it knows are copied into room for ours:
    # it may tell the same one without end.
    ssh2_mend(${source}/src/userauth.c
        "strlen\\(supported_algs\\) \\+ 1"
        "strlen(session->server_sign_algorithms) + 1" IF_THERE)

    # What goes wrong in a later round of keyboard-interactive is passed over, and
    # the answer to what was never sent is waited for.
    ssh2_mend(${source}/src/userauth.c
        "( */[*] server requested PAM-like conversation)"
        "            session->userauth_kybd_auth_failure = 1;\n\\1")
    ssh2_mend(${source}/src/userauth.c
        "(userauth_kybd_state = libssh2_NB_state_idle;\n *return) -1;"
        "\\1 LIBSSH2_ERROR_AUTHENTICATION_FAILED;")

    # A connection that comes while those that nobody has accepted are closed is
    # lost with its listener.
    ssh2_mend(${source}/src/channel.c
        "LIBSSH2_CHANNEL [*]next = _libssh2_list_next\\(&queued->node\\);\n\n( *rc = _libssh2_channel_free\\(queued\\);)"
        "\\1")
    ssh2_mend(${source}/src/channel.c "queued = next;"
        "queued = _libssh2_list_first(&listener->queue);")

    # Giving a channel back goes through all that waits in the session, once for
    # each packet of its extended data.
    set(discard "{
        LIBSSH2_PACKET *next, *packet = _libssh2_list_first(&session->packets);

        for(; packet; packet = next) {
            next = _libssh2_list_next(&packet->node);
            if(packet->data_len >= 5 &&
               (packet->data[0] == SSH_MSG_CHANNEL_DATA ||
                packet->data[0] == SSH_MSG_CHANNEL_EXTENDED_DATA) &&
               !memcmp(packet->data + 1, channel_id, 4)) {
                _libssh2_list_remove(&packet->node);
                LIBSSH2_FREE(session, packet->data);
                LIBSSH2_FREE(session, packet);
            }
        }
    }")
    ssh2_mend(${source}/src/channel.c
        "while\\(\\(_libssh2_packet_ask\\(session, SSH_MSG_CHANNEL_DATA, &data,[^{]*{\n[^}]*}"
        "if(channel->read_avail) ${discard}")
    ssh2_mend(${source}/src/channel.c
        "unsigned char [*]data;\n *size_t data_len;\n *(int rc;\n\n *assert)" "\\1")
    ssh2_mend(${source}/src/channel.c
        "while\\(\\(_libssh2_packet_ask\\(session, SSH_MSG_CHANNEL_DATA,\n *&session->open_data,[^{]*{\n[^}]*}"
        "${discard}")

    # What nobody ever asks for is kept, and gone through with each read: empty
    # data, which no window counts, messages of no kind that is known, and the
    # answers to keepalives.
    set(pass_over "LIBSSH2_FREE(session, data);
                session->packAdd_state = libssh2_NB_state_idle;
                return 0;")
    ssh2_mend(${source}/src/packet.c
        "if\\(channelp->remote.packet_size < \\(datalen"
        "if(datalen == data_head) {
                ${pass_over}
            }
            \\0")
    ssh2_mend(${source}/src/packet.c
        "default:(\n *break;\n *}\n\n *session->packAdd_state = libssh2_NB_state_sent;)"
        "default:
            if((msg < SSH_MSG_KEXINIT && msg != SSH_MSG_SERVICE_ACCEPT) ||
               (msg > SSH_MSG_REQUEST_FAILURE && msg < SSH_MSG_CHANNEL_OPEN) ||
               msg > SSH_MSG_CHANNEL_FAILURE ||
               ((msg == SSH_MSG_REQUEST_SUCCESS ||
                 msg == SSH_MSG_REQUEST_FAILURE) &&
                session->fwdLstn_state == libssh2_NB_state_idle)) {
                ${pass_over}
            }\\1")

    # A group that is larger than was asked for: seconds, that nothing ends.
    ssh2_mend(${source}/src/kex.c
        "_libssh2_bn_bits\\(p\\) > LIBSSH2_DH_MAX_MODULUS_BITS"
        "_libssh2_bn_bits(p) > LIBSSH2_DH_GEX_MAXGROUP")

    # An exchange of keys that the server begins is passed over where it fails,
    # though the host's key is that of the server's last word by then.
    ssh2_mend(${source}/src/packet.c
        "(&session->startup_key_state\\);\n *)if\\(rc == LIBSSH2_ERROR_EAGAIN\\)\n *return rc;"
        "\\1if(rc)
            return rc == LIBSSH2_ERROR_EAGAIN ? rc :
                _libssh2_error(session, LIBSSH2_ERROR_KEY_EXCHANGE_FAILURE,
                               \"the exchange of keys failed\");")

    # A packet of chacha20-poly1305 that is shorter than its own length of four
    # bytes is moved by 4 GiB; one longer than the buffer is read for ever.
    ssh2_mend(${source}/src/transport.c
        "(_libssh2_store_u32\\(&ptr, len\\);\n)( *}\n *else {)"
        "\\1
                if(len < 8 || len % 8 || len > PACKETBUFSIZE - 64)
                    return LIBSSH2_ERROR_DECRYPT;
\\2" IF_THERE)

    # What a wrong MAC came with is gone on with: the padding of the packet before
    # is taken off it, and it is decompressed.
    ssh2_mend(${source}/src/transport.c
        "session->fullpacket_macstate = LIBSSH2_MAC_INVALID;"
        "LIBSSH2_FREE(session, p->payload);
                p->payload = NULL;
                p->total_num = 0;
                return _libssh2_error(session, LIBSSH2_ERROR_INVALID_MAC,
                                      \"Invalid MAC received\");")

    # A key that fails to be decrypted is freed, then overwritten and freed again.
    ssh2_mend(${source}/src/pem.c "LIBSSH2_FREE\\(session, key\\);\n( *goto out;)"
        "\\1")

    # The text of a key's file without an end is forgotten.
    ssh2_mend(${source}/src/pem.c
        "( *if\\(b64data\\) {\n[^}]*}\n)\nout:\n" "out:\n\n\\1")

    # A private key of another kind than the public one: its signature is taken
    # apart as if it were ECDSA's, or one that was never made is sent.
    ssh2_mend(${source}/src/openssl.c
        "(OPENSSL_clear_free\\(temp_buffer, out_buffer_len\\);)(\n#else\n *sig = ECDSA)"
        "\\1
    temp_buffer = NULL;
    if(!sig) {
        rc = -1;
        goto clean_exit;
    }\\2" IF_THERE)
    ssh2_mend(${source}/src/openssl.c
        "if\\(!ret\\)( {\n *LIBSSH2_FREE\\(session, sig\\);)" "if(ret <= 0)\\1")
    # And it goes by free(), as large as that key may be.
    ssh2_mend(${source}/src/openssl.c
        "temp_buffer = LIBSSH2_ALLOC\\(session, out_buffer_len\\);"
        "temp_buffer = malloc(out_buffer_len);")

    # A public key that is too long for ECDSA's room is sent though it is not
    # there.
    ssh2_mend(${source}/src/openssl.c
        "EVP_PKEY_get_octet_string_param\\(pk, OSSL_PKEY_PARAM_PUB_KEY,\n *octal_value, octal_len, &octal_len\\);\n#else"
        "if(!octal_value ||
       EVP_PKEY_get_octet_string_param(pk, OSSL_PKEY_PARAM_PUB_KEY, octal_value,
                                       octal_len, &octal_len) != 1) {
        rc = -1;
        goto clean_exit;
    }
#else" IF_THERE)

    # A flush of less than four bytes widens the window by 4 GiB, more of them by
    # less than was flushed.
    ssh2_mend(${source}/src/channel.c
        "flush_refund_bytes \\+= packet->data_len - 13;"
        "flush_refund_bytes += bytes_to_flush;")

    # The signing algorithms that a server lists are forgotten where one of its
    # faults lets none be chosen.
    ssh2_mend(${source}/src/userauth.c
        "(key_method_len\\)\\) {\n)( *return LIBSSH2_ERROR_NONE;)"
        "\\1                LIBSSH2_FREE(session, filtered_algs);\n\\2" IF_THERE)

    # What came before the server's goodbye is not handed on any more.
    ssh2_mend(${source}/src/channel.c
        "(rc != LIBSSH2_ERROR_EAGAIN)(\\)\\)\n *return _libssh2_error\\(session, rc, \"transport read\"\\);)(\n\n *read_packet = )"
        "\\1 &&
       rc != LIBSSH2_ERROR_SOCKET_DISCONNECT\\2\\3")
    ssh2_mend(${source}/src/channel.c
        "else (if\\(rc != LIBSSH2_ERROR_EAGAIN\\)\n *return 0;)(\n\n[^\n]*say so as well)"
        "else if(rc == LIBSSH2_ERROR_SOCKET_DISCONNECT)
            return _libssh2_error(session, rc, \"transport read\");
        else \\1\\2")

    # What comes before the first keys are in use, and is no part of agreeing on
    # them, is kept, and taken afterwards for what the server says.
    ssh2_mend(${source}/src/packet.c
        "if\\(session->state & LIBSSH2_STATE_INITIAL_KEX\\) {\n *if\\(msg == SSH_MSG_KEXINIT\\)"
        "if((session->state & LIBSSH2_STATE_EXCHANGING_KEYS) &&
       !(session->state & LIBSSH2_STATE_NEWKEYS) &&
       msg > SSH_MSG_DEBUG && (msg < SSH_MSG_KEXINIT || msg > 49)) {
        LIBSSH2_FREE(session, data);
        session->packAdd_state = libssh2_NB_state_idle;
        return _libssh2_error(session, LIBSSH2_ERROR_KEX_FAILURE,
                              \"a packet that is no part of the exchange of \"
                              \"keys came before its end\");
    }
    \\0")

    # The "none" cipher, which is compiled for fuzzing alone, was forgotten when
    # ciphers got a length and a function more.
    ssh2_mend(${source}/src/crypt.c "(NULL,)(\n *crypt_none_crypt,)"
        "0, \\1 NULL,\\2")
endfunction()
