# What the tests of this folder share: sessions, and the servers' other end.
require "minitest"
require "socket"
require "ssh2"
require "timeout"

HOST = ENV.fetch("SSH2_HOST")
PORT = ENV.fetch("SSH2_PORT").to_i
KEY = ENV.fetch("SSH2_KEY")

module Common
  def shake(port = PORT)
    SSH2::Session.new.tap { |s| s.handshake(TCPSocket.new(HOST, port)) }
  end

  def connect(port = PORT)
    session = shake(port)
    session.userauth_publickey_fromfile(ENV.fetch("SSH2_USER"), KEY)
    session
  end

  def run_command(session, command)
    session.open_session.tap { |channel| channel.execute(command) }
  end

  # The next bytes, none at the end.
  def bytes(io, size = 1024)
    io.readpartial(size)
  rescue EOFError
    "".b
  end

  def read_all(io)
    data = "".b
    until (part = bytes(io)).empty?
      data << part
    end
    data
  end

  # Stop, continue or kill sshd's side of all connections.
  def server(verb)
    UNIXSocket.open(ENV.fetch("SSH2_CONTROL")) do |sock|
      sock.puts(verb)
      sock.gets
    end
  end

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end

  # How many hundredths of a second a thread counts beside the block.
  def ticks
    count = 0
    thread = Thread.new { loop { sleep 0.01 and count += 1 } }
    yield
    count
  ensure
    thread.kill
  end

  # What each block gave, run in threads of their own.
  def at_once(*blocks)
    threads = blocks.map { |block| Thread.new(&block) }
    threads.each { |t| assert t.join(60), "a thread hangs" }
    threads.map(&:value)
  end
end

# A way to sshd that counts the bytes that come to it.
class Relay
  attr_reader :port, :received

  def initialize
    @received = 0
    listener = TCPServer.new(HOST, 0)
    @port = listener.addr[1]
    Thread.new do
      near = listener.accept
      far = TCPSocket.new(HOST, PORT)
      Thread.new { copy(far, near) {} }
      copy(near, far) { |size| @received += size }
    end
  end

  def copy(source, sink)
    loop do
      data = source.readpartial(65_536)
      yield data.size
      sink.write(data)
    end
  rescue IOError, SystemCallError
    nil
  end
end
