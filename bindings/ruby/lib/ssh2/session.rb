require "io/wait"

module SSH2
  # A question of keyboard-interactive authentication.
  #
  #     session.userauth_keyboardinteractive_callback("me") do |title, _, all|
  #       puts title
  #       all.map { |prompt| prompt.echo? ? ask(prompt) : ask_secretly(prompt) }
  #     end
  class Prompt < String
    def initialize(text, echo) # :nodoc:
      super(text)
      @echo = echo
    end

    # May what is typed be shown?
    def echo?
      @echo
    end
  end

  # One SSH connection.
  #
  #     SSH2::Session.open("example.org", user: "me") do |session|
  #       session.open_session do |channel|
  #         channel.execute("uname -a")
  #         puts channel.read
  #       end
  #     end
  class Session
    include Names

    # The socket that handshake was given.
    attr_reader :sock

    # :call-seq:
    #   open(host, port = 22, user: nil, key: nil, passphrase: "", password: nil)
    #
    # Connect, verify the host key, and log in if a user is named: by key file,
    # password, or else the agent's keys. Other parameters are #connect's. With
    # a block: the block's value, and the session is closed.
    def self.open(*args, user: nil, key: nil, passphrase: "", password: nil,
                  **named, &block)
      session = new
      begin
        session.connect(*args, **named)
        if key
          session.userauth_publickey_fromfile(user, key, passphrase)
        elsif password
          session.userauth_password(user, password)
        elsif user
          session.agent_auth(user)
        end
        done = true
      ensure
        session.close unless done
      end
      SSH2.closing(session, &block)
    end

    TRACE = -1
    AUTHAGENT = 7 # older ones have no name for it, and say so
    private_constant :TRACE, :AUTHAGENT

    # The session at an address, for C, which holds none.
    @listening = ObjectSpace::WeakMap.new

    class << self
      attr_reader :listening # :nodoc:

      def at(address) # :nodoc:
        listening[address]
      end

      # Copies a channel to and from an agent; holds no session.
      def copying_to(path) # :nodoc:
        lambda do |channel|
          Pump.start(channel, UNIXSocket.new(path))
        rescue SystemCallError
          channel.close
          raise
        end
      end
    end

    alias closed? closed
    alias blocking? get_blocking
    alias blocking= set_blocking
    alias timeout get_timeout
    alias timeout= set_timeout
    alias read_timeout get_read_timeout
    alias read_timeout= set_read_timeout
    alias authenticated? userauth_authenticated

    private alias_method :core_handshake, :handshake
    private alias_method :core_close, :close
    private alias_method :core_callback_set, :callback_set
    private alias_method :core_trace_sethandler, :trace_sethandler
    private alias_method :core_methods, :methods
    private alias_method :core_open_session, :open_session
    private alias_method :core_sftp_init, :sftp_init
    private alias_method :core_direct_tcpip, :direct_tcpip
    private alias_method :core_direct_tcpip_ex, :direct_tcpip_ex
    private alias_method :core_streamlocal, :direct_streamlocal_ex
    private alias_method :core_forward_listen, :forward_listen
    private alias_method :core_forward_listen_ex, :forward_listen_ex
    private alias_method :core_publickey_init, :publickey_init
    private alias_method :core_scp_recv2, :scp_recv2
    private alias_method :core_scp_send64, :scp_send64

    # Shake hands over a connected socket, or its descriptor. The socket is
    # kept as long as the session. The host key is not verified.
    #
    # What is no IO, but can be read and written, does as well, and is closed
    # when the session is. So a host is reached by another one:
    #
    #     inner = SSH2::Session.new
    #     inner.handshake(outer.direct_tcpip("inside.example.org", 22))
    #     inner.verify("inside.example.org")
    def handshake(*args, **named)
      sock = args.fetch(0) { named[:sock] }
      # What was begun, and is to be repeated, goes on with no other.
      kept = @sock.nil? || sock.equal?(@sock)
      if Pump.needed?(sock) && refused?(sock)
        kept = false # and no byte of another connection's is to be lost
        args, named = [[fileno, 0].max], {}
      else
        pump = @pump if sock.equal?(@sock)
        pump ||= Pump.new(sock) if Pump.needed?(sock)
        args, named = [pump.sock], {} if pump
      end
      core_handshake(*args, **named)
    rescue Timeout
      raise
    rescue Error, TypeError, ArgumentError, RangeError, IOError => e
      kept = false
      raise if pump.nil? || pump.equal?(@pump)

      raise e, cause: pump.errors.first
    ensure
      if kept
        @sock, @pump = sock, pump
      elsif !pump.equal?(@pump)
        pump&.close
      end
    end

    # End every call on the session, and let go of the socket.
    def close
      core_close
      @pump&.close
      nil
    end

    # Say what is to be called when the server does something by itself: with
    # LIBSSH2_CALLBACK_DISCONNECT (reason, message, language), _DEBUG (message,
    # language, always_display), _IGNORE (message), _X11 (channel, shost, sport)
    # or _AUTHAGENT (channel). What it raises is a warning. nil: no more.
    def callback_set(*args, **named, &block)
      named[:callback] = block if block
      kind = args.fetch(0) { named[:cbtype] }
      keeping(kind, args.fetch(1) { named[:callback] }) do
        core_callback_set(*args, **named)
      end
    end

    # Say what is to be called with each line of trace.
    def trace_sethandler(*args, **named, &block)
      named[:callback] = block if block
      keeping(TRACE, args.fetch(0) { named[:callback] }) do
        core_trace_sethandler(*args, **named)
      end
    end

    # :call-seq:
    #   forward_agent(path = nil)
    #
    # Let the server's side use the agent at `path`, or else that of
    # SSH_AUTH_SOCK, once Channel#request_auth_agent asked for it.
    def forward_agent(*args, **named)
      path, = in_order(args, named, :path, least: 0)
      path ||= ENV.fetch("SSH_AUTH_SOCK", nil)
      unless path
        raise AgentConnectionError, "forward_agent: SSH_AUTH_SOCK is not set"
      end

      callback_set(AUTHAGENT, Session.copying_to(File.path(path)))
    end

    # What is called back may also be given as a block.
    %i[userauth_keyboardinteractive_callback userauth_password
       userauth_publickey userauth_publickey_sk sign_sk].each do |name|
      core = :"core_#{name}"
      private alias_method core, name
      define_method(name) do |*args, **named, &block|
        named[:callback] = block if block
        send(core, *args, **named)
      end
    end

    # The methods in use for a LIBSSH2_METHOD_*, nil before the handshake.
    # Without it, what any object's methods are.
    def methods(*args, **named)
      none = named.empty? && [[], [true], [false]].include?(args)
      none ? super(*args) : core_methods(*args, **named)
    end

    # A new Channel. With a block: the block's value, and it is closed.
    def open_session(&block)
      SSH2.closing(core_open_session, &block)
    end

    # A Channel to a TCP port that the server can reach. With a block: the
    # block's value, and the channel is closed.
    def direct_tcpip(*args, **named, &block)
      SSH2.closing(core_direct_tcpip(*args, **named), &block)
    end

    # The same, for a peer whose address the server is told.
    def direct_tcpip_ex(*args, **named, &block)
      SSH2.closing(core_direct_tcpip_ex(*args, **named), &block)
    end

    # A new Channel to a UNIX socket that the server can reach.
    def direct_streamlocal_ex(*args, **named, &block)
      SSH2.closing(core_streamlocal(*args, **named), &block)
    end

    # A Listener on a port of the server, 0 for one of its choice. With a
    # block: the block's value, and the listener is closed.
    def forward_listen(*args, **named, &block)
      SSH2.closing(core_forward_listen(*args, **named), &block)
    end

    # The same on one of the server's addresses: [Listener, port], which a
    # block is given as well.
    def forward_listen_ex(*args, **named)
      made = core_forward_listen_ex(*args, **named)
      return made if !block_given? || made.is_a?(Symbol)

      SSH2.closing(made[0]) { yield made }
    end

    # A new SFTP. With a block: the block's value, and it is closed.
    def sftp_init(&block)
      SSH2.closing(core_sftp_init, &block)
    end

    # The keys that may log in, a PublicKeySystem. With a block: the block's
    # value, and it is shut down.
    def publickey_init(&block)
      SSH2.closing(core_publickey_init, &block)
    end

    # Receive a file: its bytes are to be read from the Channel, what it is
    # tells a FileInfo. With a block, which is given both: its value, and the
    # channel is closed.
    #
    #     session.scp_recv2("/etc/passwd") { |channel, _| puts channel.gets }
    def scp_recv2(*args, **named)
      channel, info = result = core_scp_recv2(*args, **named)
      return result unless block_given? && info

      SSH2.closing(channel) { yield channel, info }
    end

    # Send a file: `size` bytes are to be written to the Channel; then wait_eof
    # tells whether the server has kept them. With a block: that is done, and
    # the channel is closed.
    #
    #     session.scp_send64("motd", 0o644, 3, 0, 0) { |ch| ch.write("Hi\n") }
    def scp_send64(*args, **named, &block)
      channel = core_scp_send64(*args, **named)
      return channel unless block

      SSH2.closing(channel) { SSH2.closing(channel, :wait_eof, &block) }
    end

    # Wait until a call that would have blocked is worth another try: false if
    # that took longer than `timeout` seconds.
    def wait(timeout = nil)
      over = timeout && now + timeout
      loop do
        directions, descriptor = block_directions, fileno
        # Without a descriptor the next try fails, and says why.
        return true if directions.zero? || descriptor.negative?

        left = over ? [over - now, 0].max : SLICE
        return true if ready?(descriptor, directions, [left, SLICE].min)
        return false if over && left <= SLICE
      end
    end

    def inspect # :nodoc:
      state = if closed? then "closed"
              elsif authenticated? then "authenticated"
              else "not authenticated"
              end
      "#<#{self.class} #{state}>"
    end

    def initialize_copy(_other) # :nodoc:
      raise TypeError, "can't copy #{self.class}"
    end

    private

    SLICE = 0.1 # seconds: a close elsewhere is not seen by who polls
    private_constant :SLICE

    # Will the core shake no hands over it?
    def refused?(sock)
      closed? || (fileno >= 0 && !sock.equal?(@sock))
    end

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end

    def ready?(descriptor, directions, timeout)
      events = 0
      events |= IO::READABLE if directions & LIBSSH2_SESSION_BLOCK_INBOUND != 0
      events |= IO::WRITABLE if directions & LIBSSH2_SESSION_BLOCK_OUTBOUND != 0
      IO.for_fd(descriptor, "r+", autoclose: false).wait(events, timeout)
    rescue Errno::EBADF, Errno::EINVAL, IOError # it has been closed since
      true
    end

    # Keep a callback, unless it is refused.
    def keeping(kind, callback)
      Session.listening[SSH2.__send__(:address_of, self)] = self
      @callbacks ||= {}
      before = @callbacks[kind]
      @callbacks[kind] = callback
      kept = false
      yield.tap { kept = true }
    ensure
      @callbacks[kind] = before unless kept || !@callbacks
    end

    # C tells of an event.
    def told(kind, args)
      callback = @callbacks[kind] or return
      args[2] = !args[2].zero? if kind == LIBSSH2_CALLBACK_DEBUG
      callback.call(*args)
    rescue StandardError => e
      warn("#{inspect}: #{e.full_message(highlight: false)}")
    end
  end
end
