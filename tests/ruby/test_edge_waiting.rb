# Waiting at Ruby's edge: threads, signals and deadlines.
require_relative "common"
require "stringio"
require "tmpdir"

class TestEdgeWaiting < Minitest::Test
  include Common

  def seconds
    start = now
    yield
    now - start
  end

  COUNT = "i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); " \
          "[ $((i % 100)) = 0 ] && sleep 0.01; done"
  NUMBERS = Array.new(3000) { |i| "#{i}\n" }.join.freeze

  # Interrupts only where something waits: then Ruby itself loses nothing.
  def while_waiting(&block)
    Thread.handle_interrupt(Object => :on_blocking) { loop(&block) }
  end

  def test_a_killed_reader_loses_no_byte
    session = connect
    kills = 0
    until kills > 5
      channel = run_command(session, COUNT)
      got = "".b
      until channel.eof?
        reader = Thread.new { while_waiting { got << channel.read(64).to_s } }
        sleep(rand * 0.004)
        reader.kill.join
        kills += 1
      end
      assert_equal NUMBERS, got
    end
  end

  def test_a_killed_sftp_reader_loses_no_byte
    sftp = connect.sftp_init
    Dir.mktmpdir do |dir|
      bytes = Random.new(1).bytes(3_000_000)
      File.binwrite("#{dir}/x", bytes)
      file = sftp.open("#{dir}/x")
      got = "".b
      until file.eof?
        reader = Thread.new { while_waiting { got << file.read(40_000).to_s } }
        sleep(rand * 0.003)
        reader.kill.join
      end
      assert_equal bytes.bytesize, got.bytesize
      assert_equal bytes, got
    end
  end

  def test_a_timeout_loses_no_byte
    channel = run_command(connect, COUNT)
    got = "".b
    until channel.eof?
      begin
        Timeout.timeout(0.002) do
          while_waiting { got << channel.read(64).to_s }
        end
      rescue Timeout::Error
        next
      end
    end
    assert_equal NUMBERS, got
  end

  def test_lines_are_whole_whatever_happens
    channel = run_command(connect, COUNT)
    got = []
    until channel.eof?
      reader = Thread.new { while_waiting { got << channel.gets } }
      sleep(rand * 0.004)
      reader.raise(IOError) if rand < 0.5
      reader.kill
      reader.report_on_exception = false
      begin
        reader.join
      rescue IOError
        next
      end
    end
    assert_equal NUMBERS, got.compact.join
  end

  # What a call gives that is told to stop when it is done, and is not on yet:
  # this thread keeps the interpreter to itself. nil where it was stopped.
  def stopped_at_its_end(go)
    call = Thread.new do
      yield
    rescue IOError
      nil
    end
    sleep 0.01 until call.stop?
    go.call
    done = now + 0.05
    nil while now < done
    call.raise(IOError)
    call.value
  end

  # What a block closes then is not waited for.
  def test_a_block_that_is_left_ends
    took = now
    session = connect
    assert_raises(Timeout::Error) do
      session.sftp_init do
        session.open_session do |channel|
          channel.execute("sleep 60")
          server("stop")
          Timeout.timeout(0.3) { channel.read }
        end
      end
    end
    assert_operator now - took, :<, 25
  ensure
    server("cont")
  end

  def test_who_reads_all_and_is_stopped_loses_no_byte
    channel = run_command(connect, "read x; echo out; echo no >&2")
    channel.ungetbyte("ahead ")
    both = stopped_at_its_end(-> { channel.puts }) { channel.read_all }
    assert_equal ["ahead out\n", "no\n"], both || channel.read_all
    assert_equal ["", ""], channel.read_all
  end

  def test_who_lists_and_is_stopped_loses_no_entry
    dir = connect.sftp_init.opendir("/")
    server("stop")
    control = UNIXSocket.open(ENV.fetch("SSH2_CONTROL"))
    first = stopped_at_its_end(-> { control.puts("cont") }) { dir.readdir }
    names = [first, *dir.each_entry].compact.map(&:name)
    assert_equal [".", "..", *Dir.children("/")].sort, names.sort
  ensure
    control&.close
    server("cont")
  end

  def test_who_accepts_and_is_stopped_loses_no_connection
    session = connect
    listener = session.forward_listen(0)
    sock = nil
    knock = -> { sock = TCPSocket.new("127.0.0.1", listener.port) }
    channel = stopped_at_its_end(knock) { listener.accept }
    session.timeout = 20_000
    channel ||= listener.accept
    sock.puts("knock")
    assert_equal "knock\n", channel.gets
  end

  def test_timeout_ends_every_wait
    session = connect
    listener = TCPServer.new("127.0.0.1", 0)
    port = listener.addr[1]
    channel = run_command(session, "sleep 60")
    forwarded = session.forward_listen(0)
    waits = {
      read: -> { channel.read(1) }, gets: -> { channel.gets },
      eof: -> { channel.stderr.eof? }, wait_eof: -> { channel.wait_eof },
      copy: -> { IO.copy_stream(channel, StringIO.new) },
      write: -> { channel.write("x" * 8_000_000) },
      accept: -> { forwarded.accept }, each: -> { forwarded.each { flunk } },
      connect: -> { SSH2::Session.new.connect("127.0.0.1", port) },
      handshake: lambda {
        SSH2::Session.new.handshake(TCPSocket.new("127.0.0.1", port))
      },
      scp_recv2: -> { session.scp_recv2(KEY) },
      direct_tcpip: -> { session.direct_tcpip(HOST, port) }
    }
    waits.each do |name, wait|
      server("stop") if name == :scp_recv2
      took = seconds do
        assert_raises(Timeout::Error) { Timeout.timeout(0.2) { wait.call } }
      end
      assert_operator took, :<, 10, name
    end
    server("cont")
    assert_equal "fine\n", run_command(session, "echo fine").read
  ensure
    server("cont")
  end

  # Bytes of ours go first: without them no answer may come.
  def test_what_waits_for_both_says_writable
    socket = Socket.tcp(HOST, PORT)
    socket.setsockopt(:SOCKET, :SNDBUF, 4096)
    session = SSH2::Session.new
    session.handshake(socket)
    session.userauth_publickey_fromfile(ENV.fetch("SSH2_USER"), KEY)
    channel = run_command(session, "sleep 1; cat >/dev/null; echo all")
    server("stop")
    session.blocking = false
    nil until channel.write("x" * 1000).is_a?(Symbol)
    assert_equal :wait_writable, channel.read(1)
    assert_equal SSH2::LIBSSH2_SESSION_BLOCK_INBOUND |
                 SSH2::LIBSSH2_SESSION_BLOCK_OUTBOUND, session.block_directions
    server("cont")
    # Who does as he is told gets there.
    words = [-> { channel.send_eof }, -> { channel.gets }]
    got = words.map do |call|
      result = nil
      socket.public_send(result) while (result = call.call).is_a?(Symbol)
      result
    end
    assert_equal [nil, "all\n"], got
  ensure
    server("cont")
  end

  def test_what_a_thread_is_told_arrives
    session = connect
    thread = Thread.new { run_command(session, "sleep 60").read(1) }
    thread.report_on_exception = false
    sleep 0.2
    thread.raise(KeyError, "told")
    assert_equal "told", assert_raises(KeyError) { thread.join }.message
    assert_nil Thread.new { Thread.current.kill }.value
  end

  def test_a_handler_may_throw
    channel = run_command(connect, "read x; echo later")
    old = trap("USR1") { throw :out, 5 }
    Thread.new { (sleep 0.2) && Process.kill("USR1", Process.pid) }
    assert_equal(5, catch(:out) { channel.read(10) })
    channel.puts
    assert_equal "later\n", channel.read(10)
  ensure
    trap("USR1", old || "DEFAULT")
  end

  def test_masked_interrupts_wait
    channel = run_command(connect, "sleep 0.5; echo whole")
    got = nil
    masked = Queue.new
    thread = Thread.new do
      Thread.handle_interrupt(Object => :never) do
        masked << true
        got = channel.read(10)
      end
    end
    masked.pop
    sleep 0.1
    thread.kill.join
    assert_equal "whole\n", got
  end

  def test_closing_under_who_waits_for_the_session
    session = connect
    channel = run_command(session, "sleep 60")
    session.blocking = false
    assert_kind_of Symbol, channel.readpartial(1)
    assert_equal false, session.wait(0)
    assert_equal false, session.wait(0.25)
    thread = Thread.new { session.wait }
    assert_nil thread.join(0.3)
    session.close
    assert thread.join(10)
  end

  def test_what_asks_for_more_than_one_answer
    session = connect
    sftp = session.sftp_init
    file = sftp.open(KEY)
    channel = run_command(session, "echo a; sleep 60")
    channel.eof?
    session.blocking = false
    server("stop")
    assert_equal [:wait_readable] * 6,
                 [sftp.exist?("/none"), sftp.entries("/"), sftp.each("/") {},
                  file.size, file.seek(0, :END), channel.readlines]
  ensure
    server("cont")
    session.blocking = true
    assert_equal "a\n", channel.gets
  end

  def test_closing_under_a_reader
    session = connect
    thread = Thread.new { run_command(session, "sleep 60").read(1) }
    thread.report_on_exception = false
    sleep 0.2
    session.close
    assert_raises(SSH2::ClosedError) { thread.value }
  end

  def test_a_callback_may_leave_in_any_way
    port = ENV["SSH2_ASYNCSSH_PORT"] or skip "no second server"
    session = SSH2::Session.new
    session.handshake(TCPSocket.new(HOST, port))
    ask = lambda do |&block|
      session.userauth_keyboardinteractive_callback("kate", &block)
    end
    assert_raises(KeyError) { ask.call { raise KeyError } }
    assert_equal(7, catch(:out) { ask.call { throw :out, 7 } })
    assert_raises(TypeError) { ask.call { 5 } }
    assert_raises(TypeError) { ask.call { [nil, nil] } }
    assert_raises(ArgumentError) { ask.call { [] } }
    assert_raises(SSH2::BadUseError) { ask.call { session.sftp_init } }
    seen = []
    ask.call do |name, _, prompts|
      seen << [name, prompts.map(&:echo?)]
      name == "Login" ? ["blue sky", "grün"] : prompts.map { "42" }
    end
    assert_equal "Login", seen[0][0]
    assert session.authenticated?
  end
end
