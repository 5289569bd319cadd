require "socket"

module SSH2
  # Bytes from an object that reads and writes to a socket, and back: so
  # libssh2, which knows sockets only, runs over anything. Two threads copy;
  # they hold the two ends and nothing else.
  class Pump # :nodoc:
    SIZE = 65_536

    attr_reader :sock, :errors

    class << self
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
        read = from.respond_to?(:readpartial) ? :readpartial : :read
        while (bytes = again(from) { from.public_send(read, SIZE) })
          until bytes.empty?
            done = again(to) { to.write(bytes) }
            bytes = bytes.byteslice(done..)
          end
          to.flush if to.respond_to?(:flush)
        end
      rescue EOFError
        nil
      end

      # The settings of a channel's session are not meant for this.
      def again(stream)
        while (result = yield).is_a?(Symbol)
          stream.session.wait(0.05) # others may take its bytes
        end
        result
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
