/* Listener: a port of the server's whose connections come here. */
%rename(Listener) s2_listener;
typedef struct s2_listener {
    %extend {
        ~s2_listener() { s2_release($self); }
        int port();
        s2_error *forward_accept(s2_channel **out);
        s2_error *forward_cancel();
    }
} s2_listener;
