require "socket"

module SSH2
  # Bytes from an object that reads and writes to a socket, and back: so
  # libssh2, which knows sockets only, runs over anything. Two threads copy;
  # they hold the two ends and nothing else.
  class Pump # :nodoc:
    SIZE = 65_536

    attr_reader :sock, :errors

    class << self
      include Ends

      # Is it no IO, and can be read and written?
      def needed?(object)
        !object.is_a?(IO) && object.respond_to?(:write) &&
          %i[readpartial read].any? { |name| object.respond_to?(name) }
      end

      # Copy until both have ended, then close both; why goes to errors.
      def start(object, sock, errors = [])
        back = Thread.new do
          noting(errors) { copy(object, sock) }
        ensure
          noting(errors) { sock.shutdown(Socket::SHUT_WR) }
        end
        Thread.new do
          noting(errors) { copy(sock, object) }
        ensure
          noting(errors) { object.close if object.respond_to?(:close) }
          back.join
          sock.close
        end
      end

      private

      # An error is there before the other end can tell that one was.
      def noting(errors)
        yield
      rescue StandardError => e
        errors << e
      end

      def copy(from, to)
        name = from.respond_to?(:readpartial) ? :readpartial : :read
        read = -> { from.public_send(name, SIZE) }
        while (bytes = again(from) { patiently(&read) })
          write_all(to, bytes) { |part| patiently { to.write(part) } }
          to.flush if to.respond_to?(:flush)
        end
      rescue EOFError
        nil
      end

      # The settings of a channel's session are not meant for this.
      def patiently
        yield
      rescue Timeout => e
        e.done.positive? ? e.done : retry
      end
    end

    # A socket whose other end is the object, which is closed with it.
    def initialize(object)
      @sock, far = UNIXSocket.pair
      @errors = []
      Pump.start(object, far, @errors)
    end

    def close
      @sock.close
    end
  end
  private_constant :Pump
end
