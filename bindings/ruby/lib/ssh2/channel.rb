module SSH2
  # A command, a shell or a subsystem, and its streams.
  #
  # #read gives what has come, at most as many bytes as asked for, and nil at
  # the end; #read_all reads to the end.
  #
  #     channel.execute("sort")
  #     channel.puts "pear", "apple"
  #     channel.send_eof
  #     channel.each_line { |line| puts line }
  #     channel.close
  #     channel.exit_status # => 0
  class Channel
    include Reading
    include Writing

    # The error output of a channel, to be read.
    class Stderr
      include Reading

      # The channel it belongs to.
      attr_reader :channel

      def initialize(channel)
        @channel = channel
      end

      def read(*args, **named)
        @channel.read_stderr(*args, **named)
      end

      private

      def unread(bytes)
        @channel.__send__(:unread_stderr, bytes)
      end
    end

    alias close_write send_eof
    alias exit_status get_exit_status

    private alias_method :core_eof, :eof
    private alias_method :core_close, :close

    # The session that opened it.
    def session
      @parent.is_a?(Session) ? @parent : @parent.session
    end

    # The error output, to be read as an IO.
    def stderr
      @stderr ||= Stderr.new(self)
    end

    # Has the peer sent all, and was all of it read?
    def eof
      core_eof && !@unread && !@unread_stderr
    end
    alias eof? eof

    # Close both ways; what has arrived can still be read.
    def close
      result = core_close
      @closed = true unless result
      result
    end

    def closed?
      @closed || session.closed?
    end

    # The name of the signal that ended the command, or nil.
    def exit_signal
      name, = get_exit_signal
      name&.force_encoding(Encoding::UTF_8)
    end

    def inspect
      "#<#{self.class} #{closed? ? 'closed' : 'open'}>"
    end

    private

    def unread_stderr(bytes)
      @unread_stderr = @unread_stderr ? bytes + @unread_stderr : bytes
    end
  end
end
