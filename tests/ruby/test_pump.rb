# SSH over what is no socket: a channel of another session, a pair of pipes.
require_relative "common"
require "open3"
require "openssl"
require "shellwords"
require "weakref"

class TestPump < Minitest::Test
  include Common

  RELAY = [RbConfig.ruby, "--disable-all", "-rsocket", "-e", <<~RUBY].freeze
    sock = TCPSocket.new("#{HOST}", #{PORT})
    Thread.new do
      IO.copy_stream($stdin, sock)
      sock.close_write
    end
    IO.copy_stream(sock, $stdout.tap { |out| out.sync = true })
  RUBY

  # A relay's two pipes, as a program would write it.
  class Pipes
    attr_reader :pid

    def initialize
      @stdin, @stdout, @waiter = Open3.popen2(*RELAY)
      @pid = @waiter.pid
    end

    def read(size)
      @stdout.readpartial(size)
    rescue EOFError
      nil
    end

    def write(bytes)
      @stdin.write(bytes)
    end

    def close
      @stdin.close
      @waiter.join
      @stdout.close
    end

    def closed?
      @stdout.closed?
    end
  end

  # What has both, and fails.
  class Broken
    def read(_size)
      raise KeyError, "nothing to read"
    end

    def write(bytes)
      bytes.bytesize
    end
  end

  def setup
    @threads = Thread.list.size
  end

  # No thread is left.
  def teardown
    GC.start
    tries = 0
    sleep 0.01 while Thread.list.size > @threads && (tries += 1) < 1000
    assert_operator Thread.list.size, :<=, @threads
  end

  def over(stream)
    session = SSH2::Session.new
    session.handshake(stream)
    session.userauth_publickey_fromfile(ENV.fetch("SSH2_USER"), KEY)
    session
  end

  def jump(outer)
    over(outer.direct_tcpip(HOST, PORT))
  end

  def works(session)
    data = Random.new(4).bytes(2_000_000)
    channel = run_command(session, "cat")
    writer = Thread.new { channel.write(data) && channel.send_eof }
    assert_equal data, channel.binmode.read
    writer.join
  end

  def test_a_channel_of_another_session
    outer = connect
    channel = outer.direct_tcpip(HOST, PORT)
    session = over(channel)
    assert_same channel, session.sock
    works(session)
    assert_equal "out\n", run_command(outer, "echo out").read
    session.close
    sleep 0.01 until channel.closed?
  end

  def test_a_host_behind_a_host_behind_a_host
    works(inner = jump(middle = jump(outer = connect)))
    [inner, middle, outer].each(&:close)
  end

  def test_a_channel_whose_session_does_not_block
    outer = connect
    channel = outer.direct_tcpip(HOST, PORT)
    outer.blocking = false
    session = over(channel)
    works(session)
    session.close
  end

  def test_an_outer_timeout_is_no_end
    outer = connect
    channel = outer.direct_tcpip(HOST, PORT)
    outer.timeout = 100
    session = over(channel)
    sleep 0.3
    works(session)
    session.close
  end

  def test_pipes
    pipes = Pipes.new
    session = over(pipes)
    works(session)
    session.disconnect
    session.close
  end

  def test_tls
    certificate = OpenSSL::X509::Certificate.new
    key = OpenSSL::PKey::RSA.new(2048)
    certificate.public_key = key.public_key
    certificate.not_before = Time.now - 60
    certificate.not_after = Time.now + 60
    certificate.sign(key, "SHA256")
    context = OpenSSL::SSL::SSLContext.new
    context.add_certificate(certificate, key)
    near, far = UNIXSocket.pair
    Thread.new do
      tls = OpenSSL::SSL::SSLSocket.new(far, context).tap(&:accept)
      SSH2.const_get(:Pump).start(tls, TCPSocket.new(HOST, PORT))
    end
    session = over(OpenSSL::SSL::SSLSocket.new(near).tap(&:connect))
    works(session)
    session.close
  end

  def test_dropped_pipes_are_closed
    pid = Thread.new { over(pipes = Pipes.new) && pipes.pid }.value
    GC.start
    1000.times { break if waited?(pid) || GC.start || sleep(0.05).nil? }
    assert waited?(pid)
  end

  # Has it ended, and was it waited for?
  def waited?(pid)
    Process.kill(0, pid)
    false
  rescue Errno::ESRCH
    true
  end

  def test_a_session_that_does_not_block
    session = SSH2::Session.new
    session.blocking = false
    pipes = Pipes.new
    session.wait while session.handshake(pipes)
    assert_same pipes, session.sock
    session.blocking = true
    session.userauth_publickey_fromfile(ENV.fetch("SSH2_USER"), KEY)
    works(session)
    session.close
  end

  def test_a_handshake_that_did_not_end_is_repeated
    pipes = Pipes.new
    Process.kill("STOP", pipes.pid)
    session = SSH2::Session.new
    session.timeout = 200
    assert_raises(SSH2::Timeout) { session.handshake(pipes) }
    assert_raises(Timeout::Error) do
      Timeout.timeout(0.1) { session.handshake(pipes) }
    end
    Process.kill("CONT", pipes.pid)
    session.timeout = 0
    assert_nil session.handshake(sock: pipes)
    session.close
  end

  def test_what_was_begun_goes_on_with_no_other
    pipes = Pipes.new
    Process.kill("STOP", pipes.pid)
    session = SSH2::Session.new
    session.timeout = 100
    others = [Pipes.new, Pipes.new]
    [pipes, *others].each do |stream|
      assert_raises(SSH2::Timeout) { session.handshake(stream) }
    end
    assert_same pipes, session.sock
    assert others.none?(&:closed?)
    others.each(&:close)
    Process.kill("CONT", pipes.pid)
    session.timeout = 0
    session.handshake(pipes)
    session.userauth_publickey_fromfile(ENV.fetch("SSH2_USER"), KEY)
    works(session)
    session.close
  end

  def test_where_it_is_refused_another_stream_is_left_alone
    touches = []
    other = Object.new
    %i[read write close].each do |name|
      other.define_singleton_method(name) { |*| touches << name }
    end
    [connect, over(Pipes.new)].each do |session|
      sock = session.sock
      assert_raises(SSH2::BadUseError) { session.handshake(other) }
      assert_same sock, session.sock
      assert_equal "x\n", run_command(session, "echo x").read
      session.close
      [other, sock].each do |again|
        assert_raises(SSH2::ClosedError) { session.handshake(again) }
      end
    end
    sleep 0.05 # as long as one that was begun would be read
    assert_empty touches
  end

  # It would keep its session alive, and itself by that.
  def test_a_channel_of_the_session_itself
    Thread.new do
      session = connect
      channel = session.open_session
      session.timeout = 100
      server("stop")
      assert_raises(SSH2::Timeout) { session.open_session }
      assert_raises(SSH2::BadUseError) { session.handshake(channel) }
      session.blocking = false
      assert_raises(SSH2::BadUseError) { session.handshake(channel) }
    ensure
      server("cont")
    end.join
  end

  def test_the_other_end_goes
    pipes = Pipes.new
    session = over(pipes)
    channel = run_command(session, "sleep 60")
    Process.kill("KILL", pipes.pid)
    assert_raises(SSH2::Error) { channel.read }
    session.close
  end

  def test_what_raises_is_the_cause
    session = SSH2::Session.new
    error = assert_raises(SSH2::Error) { session.handshake(Broken.new) }
    assert_kind_of KeyError, error.cause
    assert_nil session.sock
  end

  def test_neither_descriptor_nor_read_and_write
    [Object.new, nil, "x", 1.5].each do |wrong|
      assert_raises(TypeError) { SSH2::Session.new.handshake(wrong) }
    end
    assert_raises(ArgumentError) { SSH2::Session.new.handshake }
    assert_raises(ArgumentError) { SSH2::Session.new.handshake(1, 2) }
  end
end
