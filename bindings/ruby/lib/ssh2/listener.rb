module SSH2
  # A port of the server, whose connections come here as channels.
  #
  #     session.forward_listen_ex(16, "127.0.0.1") do |listener, port|
  #       Thread.new do
  #         session.direct_tcpip("127.0.0.1", port) { |out| out.puts "knock" }
  #       end
  #       listener.accept { |channel| channel.gets } # => "knock\n"
  #     end
  class Listener
    include Enumerable

    private alias_method :core_forward_accept, :forward_accept
    private alias_method :core_forward_cancel, :forward_cancel

    # The session that made it.
    def session
      @parent
    end

    # A Channel for the next connection. With a block: the block's value, and
    # the channel is closed.
    def forward_accept(&block)
      SSH2.closing(core_forward_accept, &block)
    end
    alias accept forward_accept

    # Each connection, as a Channel, as they come; it ends where the listener
    # is closed.
    def each
      return enum_for(:each) unless block_given?

      while (channel = accepted)
        return channel if channel.is_a?(Symbol)

        yield channel
      end
      self
    end

    # Listen no more: connections that nobody accepted are closed.
    def forward_cancel
      result = core_forward_cancel
      @closed, @kept = true, nil unless result
      result
    end
    alias close forward_cancel

    # Was it closed, or its session?
    def closed?
      @closed || session.closed?
    end

    def inspect # :nodoc:
      "#<#{self.class} #{closed? ? 'closed' : 'open'}>"
    end

    private

    def accepted
      core_forward_accept
    rescue ClosedError
      nil
    end
  end
end
