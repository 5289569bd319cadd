module SSH2
  # A command, a shell or a subsystem, and its streams. It is read and written
  # as an IO is; libssh2's own read is #read_ex.
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
    include Ends
    include Names

    # The error output of a channel, to be read.
    class Stderr
      include Reading

      # The channel it belongs to.
      attr_reader :channel

      def initialize(channel) # :nodoc:
        @channel = channel
      end

      private

      def fill(length, outbuf, whole)
        @channel.__send__(:fill, length, outbuf, whole, 1)
      end

      def read_ahead(size)
        @channel.__send__(:read_ahead, size, 1)
      end

      def ahead
        @channel.instance_variable_get(:@unread_stderr)
      end

      def ahead=(bytes)
        @channel.instance_variable_set(:@unread_stderr, bytes)
      end
    end

    alias close_write send_eof
    alias exit_status get_exit_status

    private alias_method :core_eof, :eof
    private alias_method :core_write, :write
    private alias_method :core_close, :close
    private alias_method :core_read_all, :read_all
    private alias_method :core_pump, :pump
    %i[read write flush].each { |name| remove_method(name) } # an IO's instead

    # The session that opened it.
    def session
      @parent.is_a?(Session) ? @parent : @parent.session
    end

    # The error output, to be read as an IO.
    def stderr
      @stderr ||= Stderr.new(self)
    end

    # Has the peer sent all, and was all of it read, of every stream? Waits for
    # nothing.
    def eof
      core_eof && [@unread, @unread_stderr].all? { |held| held.to_s.empty? }
    end

    # :call-seq:
    #   read_all(limit = 67_108_864)
    #
    # All of the output and of the error output, to their ends: two Strings of
    # bytes. `limit` is the most bytes of both, 0: any number; where it does not
    # come to its end, the next read has what was read.
    def read_all(*args, **named)
      result = core_read_all(*args, **named)
      return result if result.is_a?(Symbol)

      # It is there, and no interrupt comes in between.
      both = [@unread.to_s.b, @unread_stderr.to_s.b]
      @unread = @unread_stderr = nil
      both
    end

    # :call-seq:
    #   pump(stdout = nil, stderr = nil)
    #
    # Hand on all of both streams as they come; how many bytes. Each goes to a
    # descriptor or to what has `write`, as for SFTP#get; nil: nowhere.
    def pump(*args, **named)
      stdout, stderr = in_order(args, named, :stdout, :stderr, least: 0)
      ends = {}
      ends.update(outlet(stdout)) if stdout
      ends.update(outlet(stderr, "stderr_")) if stderr
      ahead = hand_on(:@unread, stdout) + hand_on(:@unread_stderr, stderr)
      count = core_pump(**ends)
      count.is_a?(Integer) ? count + ahead : count
    end

    # Close both ways; what has arrived can still be read.
    def close
      result = core_close
      @closed = true unless result
      result
    end

    # Was it closed, or its session?
    def closed?
      @closed || session.closed?
    end

    # The name of the signal that ended the command, or nil.
    def exit_signal
      name, = get_exit_signal
      name&.force_encoding(Encoding::UTF_8)
    end

    # Did the server tell an exit status?
    def exit_status?
      has_exit_status == 1
    end

    # How many bytes the server may still send.
    def window_read
      window_read_ex.first
    end

    # How many bytes may still be sent to it.
    def window_write
      window_write_ex.first
    end

    def inspect # :nodoc:
      "#<#{self.class} #{closed? ? 'closed' : 'open'}>"
    end

    private

    # Where bytes go that go to no path.
    def outlet(to, prefix = "")
      if to.is_a?(Integer)
        raise BadUseError, "pump: #{to} is no descriptor" if to.negative?
      elsif path?(to) || !to.respond_to?(:write)
        raise TypeError, "pump: expected a descriptor or what has write(), " \
                         "not #{to.class}"
      end
      ending(to, prefix) do |object|
        ->(bytes) { write_some(object, bytes) { |part| object.write(part) } }
      end
    end

    # An IO of a caller's descriptor, which keeps nothing back from it. Of what
    # is none the same is told as by the core, which sees it later.
    def descriptor(number)
      IO.for_fd(number, autoclose: false).tap { |io| io.sync = true }
    rescue Errno::EBADF => e
      error = FileError.new("pump: #{e.message}")
      { code: LIBSSH2_ERROR_FILE, func: "pump", errno: e.errno }
        .each { |name, value| error.instance_variable_set("@#{name}", value) }
      raise error
    end

    # What was read ahead goes first; of it stays what was not taken.
    def hand_on(name, to)
      rest = instance_variable_get(name).to_s.b
      count = rest.bytesize
      instance_variable_set(name, nil)
      to = descriptor(to) if to.is_a?(Integer) && !rest.empty?
      until to.nil? || rest.empty?
        rest = rest.byteslice(write_some(to, rest) { |part| to.write(part) }..)
      end
      count
    ensure
      rest += instance_variable_get(name).to_s
      instance_variable_set(name, rest) unless to.nil? || rest.empty?
    end
  end
end
