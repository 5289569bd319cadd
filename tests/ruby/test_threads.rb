# Other threads go on; several may use one session, and none loses a byte.
require_relative "common"
require "tmpdir"

class TestThreads < Minitest::Test
  include Common

  def setup
    @session = connect
  end

  # What a wait is for comes once a clock has ticked so often beside it.
  def after_ticks(count)
    Thread.new do
      count.times { sleep 0.01 }
      yield
    end
  end

  def test_a_clock_ticks_beside_a_blocking_read
    channel = run_command(@session, "read x; echo done")
    clock = after_ticks(100) { channel.puts }
    assert_equal "done\n", bytes(channel, 9)
    clock.join
  end

  def test_a_clock_ticks_beside_a_blocking_sftp_read
    handle = @session.sftp_init.open(KEY, SSH2::LIBSSH2_FXF_READ, 0)
    server("stop")
    told = false
    clock = after_ticks(30) { (told = true) && server("cont") }
    refute_empty bytes(handle, 99)
    assert told, "nothing was waited for"
    clock.join
  ensure
    server("cont")
  end

  def test_a_clock_ticks_beside_a_connection_attempt
    session = SSH2::Session.new
    count = ticks do
      assert_raises(SSH2::Timeout) do
        session.connect(HOST, ENV.fetch("SSH2_SILENT_PORT").to_i,
                        timeout: 1000)
      end
    end
    assert_operator count, :>, 5
  end

  # Hundreds of rounds of bcrypt are one call, which nothing interrupts.
  def test_a_clock_ticks_beside_the_unlocking_of_a_key
    session = shake
    Dir.mktmpdir do |folder|
      key = File.join(folder, "key")
      assert system("ssh-keygen", "-q", "-t", "ed25519", "-a", "40",
                    "-N", "right", "-f", key)
      start = now
      count = ticks do
        assert_raises(SSH2::AuthenticationError) do
          session.userauth_publickey_fromfile(ENV.fetch("SSH2_USER"), key,
                                              "right")
        end
      end
      assert_operator count, :>, (now - start) * 5
    end
  end

  # What reads this, waits until it is written.
  def with_fifo
    Dir.mktmpdir { |dir| yield "#{dir}/fifo".tap { |path| File.mkfifo(path) } }
  end

  def test_a_file_that_never_comes_holds_up_nobody
    @session.flag(3, false) # so that the server's shell waits
    over = false
    with_fifo do |fifo|
      receive = lambda do
        assert_raises(SSH2::SCPProtocolError) do
          @session.scp_recv2("/none/$(cat #{fifo})")
        end
        over = true
      end
      work = lambda do
        sleep 0.1
        assert_equal "fine\n", read_all(run_command(@session, "echo fine"))
        refute over
      ensure
        File.write(fifo, "")
      end
      at_once(receive, work)
    end
  end

  def test_one_waits_for_a_connection_and_others_go_on
    listener, port = @session.forward_listen_ex(1, "127.0.0.1")
    waited = false
    accept = lambda do
      channel = listener.accept
      waited = true
      bytes(channel, 9)
    end
    work = lambda do
      assert_equal "fine\n", read_all(run_command(@session, "echo fine"))
      refute waited
      TCPSocket.open("127.0.0.1", port) { |sock| sock.write("hello") }
    end
    assert_equal "hello", at_once(accept, work).first
  end

  def test_a_listener_is_done_where_it_is_closed
    listener, port = @session.forward_listen_ex(4, "127.0.0.1")
    count = 0
    all = lambda do
      listener.each { |channel| count += 1 unless channel.close }
    end
    work = lambda do
      3.times { TCPSocket.open("127.0.0.1", port) { |sock| sock.read(1) } }
      listener.close
    end
    at_once(all, work)
    assert_equal 3, count
    assert listener.closed?
  end

  def test_eight_threads_share_a_session
    work = lambda do |number|
      text = "thread #{number}\n" * 2000
      5.times do
        channel = run_command(@session, "cat")
        channel.write(text)
        channel.send_eof
        assert_equal text.b, read_all(channel)
        channel.close
      end
    end
    at_once(*(0...8).map { |n| -> { work.call(n) } })
  end

  def test_eight_threads_share_an_sftp
    sftp = @session.sftp_init
    writing = SSH2::LIBSSH2_FXF_WRITE | SSH2::LIBSSH2_FXF_CREAT |
              SSH2::LIBSSH2_FXF_TRUNC
    work = lambda do |number|
      path = File.join(ENV.fetch("SSH2_TMP"), "thread-#{number}")
      data = Random.bytes(300_000)
      3.times do
        file = sftp.open(path, writing, 0o600)
        file.write(data)
        file.close
        assert_equal data, read_all(sftp.open(path, SSH2::LIBSSH2_FXF_READ, 0))
        assert_equal data.size, sftp.stat(path).filesize
      end
      sftp.unlink(path)
    end
    at_once(*(0...8).map { |n| -> { work.call(n) } })
  end

  def test_one_thread_reads_what_another_writes
    channel = run_command(@session, "cat")
    data = Random.bytes(3_000_000)
    write = lambda do
      channel.write(data)
      channel.send_eof
    end
    _, read = at_once(write, -> { read_all(channel) })
    assert data == read, "other bytes came back"
  end

  def test_no_wake_up_is_lost
    talk = lambda do
      channel = run_command(@session, "cat")
      200.times do |i|
        channel.write(i.to_s)
        assert_equal i.to_s, bytes(channel, 9)
      end
    end
    at_once(talk, talk, talk)
  end

  def test_two_threads_read_one_channel
    channel = run_command(@session, "head -c 2000000 /dev/zero")
    sizes = at_once(*[-> { read_all(channel).size }] * 2)
    assert_equal 2_000_000, sizes.sum
  end

  def close_in_flight(close)
    Thread.new { sleep 0.3 and close.call }
    start = now
    assert_raises(SSH2::ClosedError, SSH2::ChannelClosedError) { yield }
    assert_operator now - start, :<, 10
  end

  def test_close_ends_a_write_in_flight
    # sshd answers a close once the command has ended.
    with_fifo do |fifo|
      channel = run_command(@session, "cat #{fifo}")
      close_in_flight(channel.method(:close)) { channel.write("x" * 8_000_000) }
    ensure
      File.write(fifo, "")
    end
  end

  def test_close_of_the_session_ends_every_call_in_flight
    channel = run_command(@session, "sleep 60")
    close_in_flight(@session.method(:close)) { channel.wait_eof }
  end

  def test_a_timeout_of_one_thread_leaves_the_others_alone
    other = run_command(@session, "sleep 1; echo done")
    impatient = lambda do
      channel = run_command(@session, "sleep 60")
      sleep 0.3 # the other's call has begun
      @session.set_timeout(300)
      assert_raises(SSH2::Timeout) { channel.read(9) }
      @session.set_timeout(0)
    end
    assert_equal "done\n", at_once(-> { bytes(other, 9) }, impatient).first
  end

  def test_a_thread_killed_in_a_read_loses_no_byte
    text = (0...20_000).map(&:to_s).join(" ")
    channel = run_command(@session, "for i in 1 2 3 4 5 6 7 8 9 10; do " \
                                    "head -c 10000; sleep 0.02; done")
    channel.write(text[0, 100_000])
    data = "".b
    reader = lambda do
      loop do
        part = Thread.handle_interrupt(Object => :on_blocking) do
          bytes(channel, 777).tap { |got| data << got }
        end
        break if part.empty?
      end
    end
    thread = Thread.new(&reader)
    60.times do
      sleep 0.003
      thread.kill
      thread.join
      thread = Thread.new(&reader)
    end
    assert thread.join(30), "the reader hangs"
    assert data == text[0, 100_000].b, "other bytes came: #{data.size}"
  end

  def test_a_timeout_ends_a_read_and_loses_no_byte
    channel = run_command(@session, "read x; echo late")
    start = now
    assert_raises(::Timeout::Error) do
      ::Timeout.timeout(0.2) { channel.read(9) }
    end
    assert_operator now - start, :<, 10
    channel.puts
    assert_equal "late\n", bytes(channel, 9)
  end

  def test_a_timeout_ends_an_sftp_read_and_loses_no_byte
    handle = @session.sftp_init.open(KEY, SSH2::LIBSSH2_FXF_READ, 0)
    server("stop")
    assert_raises(::Timeout::Error) do
      ::Timeout.timeout(0.2) { handle.read(9999) }
    end
    server("cont")
    assert_equal File.binread(KEY), read_all(handle)
  ensure
    server("cont")
  end
end

class TestFork < Minitest::Test
  include Common

  def test_a_child_cannot_use_its_parents_session
    channel = run_command(connect, "cat")
    pid = fork do
      status = 1
      begin
        channel.write("child")
      rescue SSH2::ForkedError
        status = 0
      ensure
        exit!(status)
      end
    end
    assert_equal 0, Process.wait2(pid)[1].exitstatus
    channel.write("parent")
    channel.send_eof
    assert_equal "parent", read_all(channel)
  end

  def test_a_child_may_exit_and_make_sessions_of_its_own
    session = connect
    pid = fork do
      status = 1
      mine = connect
      status = 0 if read_all(run_command(mine, "echo child")) == "child\n"
      session = nil
      GC.start
    ensure
      exit!(status)
    end
    assert_equal 0, Process.wait2(pid)[1].exitstatus
    assert_equal "parent\n", read_all(run_command(session, "echo parent"))
  end
end
