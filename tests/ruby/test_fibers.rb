# Under a Fiber scheduler every wait is a fibre's own: the others go on.
require_relative "common"
require_relative "scheduler"
require "tmpdir"

class TestFibers < Minitest::Test
  include Common

  def seconds
    start = now
    yield
    now - start
  end

  # Run blocks as fibres of one thread: their values.
  def together(*blocks)
    Scheduler.run(*blocks)
  end

  # How often a fibre woke from 10 ms of sleep while the block ran in another.
  def ticks_beside(&block)
    count = 0
    done = false
    together(-> { block.call.tap { done = true } },
             -> { (sleep 0.01) && count += 1 until done })
    count
  end

  def test_two_fibres_talk_over_one_session
    session = connect
    talk = lambda do |word|
      channel = run_command(session, "cat")
      Array.new(50) do |i|
        channel.write("#{word} #{i}\n")
        channel.gets
      end
    end
    first, second = together(-> { talk["ping"] }, -> { talk["pong"] })
    assert_equal Array.new(50) { |i| "ping #{i}\n" }, first
    assert_equal Array.new(50) { |i| "pong #{i}\n" }, second
  end

  def test_a_waiting_fibre_lets_others_go_on
    order = []
    session = slow = nil
    together(
      lambda {
        session = connect
        slow = run_command(session, "read x; echo slow")
        order << slow.read
      },
      lambda {
        sleep 0.01 until session&.authenticated?
        order << run_command(session, "echo fast").read
      },
      -> { 5.times { |i| (sleep 0.05) && order << i } },
      lambda {
        sleep 0.01 until slow && order.size == 6
        slow.puts
      }
    )
    assert_equal "slow\n", order.last
    assert_equal [0, 1, 2, 3, 4], order.grep(Integer)
  end

  def test_a_deadline_holds_in_a_fibre
    session = connect
    took = seconds do
      together(lambda {
        channel = run_command(session, "sleep 60")
        session.set_timeout(200)
        assert_raises(SSH2::Timeout) { channel.read(1) }
      })
    end
    assert_operator took, :<, 10
  end

  def test_files_are_moved_in_fibres
    bytes = Random.new(2).bytes(2_000_000)
    Dir.mktmpdir do |dir|
      session = connect
      sftp = session.sftp_init
      copy = lambda do |name|
        sftp.write("#{dir}/#{name}", bytes)
        sftp.binread("#{dir}/#{name}")
      end
      read = together(-> { copy["a"] }, -> { copy["b"] })
      assert_equal [bytes, bytes], read
    end
  end

  def test_what_is_raised_into_a_fibre_arrives
    skip "no Fiber#raise under a scheduler" unless Fiber.method_defined?(:raise)
    session = connect
    error = nil
    together(lambda {
      waiting = Fiber.schedule do
        run_command(session, "sleep 60").read(1)
      rescue KeyError => e
        error = e
      end
      sleep 0.2
      waiting.raise(KeyError, "told")
    })
    assert_equal "told", error&.message
    assert_equal "fine\n", run_command(session, "echo fine").read
  end

  def test_each_runs_a_command_while_the_other_waits
    session = connect
    run = ->(command) { -> { run_command(session, command).read } }
    Dir.mktmpdir do |dir|
      File.mkfifo(fifo = "#{dir}/fifo")
      wait = run["cat #{fifo}"]
      go_on = run["echo a >#{fifo}; echo b"]
      assert_equal %W[a\n b\n], together(wait, go_on)
      assert_equal %W[b\n a\n], together(go_on, wait)
    end
  end

  def test_connecting_is_a_fibres_own_wait
    assert_operator(ticks_beside do
      assert_raises(SSH2::Timeout) do
        SSH2::Session.new.connect(HOST, ENV.fetch("SSH2_SILENT_PORT").to_i,
                                  timeout: 1500)
      end
    end, :>, 10)
    session = SSH2::Session.new
    known_hosts = ENV.fetch("SSH2_KNOWN_HOSTS")
    together(-> { session.connect(HOST, PORT, known_hosts: known_hosts) })
    refute_equal(-1, session.fileno)
  end

  def test_every_wait_lets_others_go_on
    session = connect
    listener = session.forward_listen(0)
    channel = run_command(session, "sleep 60")
    agent = session.agent_init
    agent.set_identity_path("#{ENV.fetch('SSH2_DIR')}/agent_silent")
    agent.connect
    sftp = session.sftp_init
    session.timeout = 1000
    { read: -> { channel.read(1) }, gets: -> { channel.gets },
      eof: -> { channel.eof? }, wait_eof: -> { channel.wait_eof },
      write: -> { channel.write("x" * 8_000_000) },
      accept: -> { listener.accept }, list: -> { agent.list_identities },
      stat: -> { server("stop") && sftp.stat("/") } }.each do |name, wait|
      count = ticks_beside { assert_raises(SSH2::Timeout, name) { wait.call } }
      assert_operator count, :>, 5, name
    end
  ensure
    server("cont")
  end

  def test_a_timeout_ends_a_fibres_wait
    session = connect
    together(lambda {
      channel = run_command(session, "read x; echo late")
      assert_raises(::Timeout::Error) do
        ::Timeout.timeout(0.2) { channel.read(1) }
      end
      channel.puts
      assert_equal "late\n", channel.read
    })
  end

  def test_closing_ends_another_fibres_wait
    session = connect
    channel = run_command(session, "sleep 60")
    together(-> { assert_raises(SSH2::ClosedError) { channel.read(1) } },
             -> { (sleep 0.1) && session.close })
  end

  def test_a_callback_may_wait
    port = ENV["SSH2_ASYNCSSH_PORT"] or skip "no second server"
    session = shake(port.to_i)
    count = ticks_beside do
      session.userauth_keyboardinteractive_callback("kate") do |title, _, all|
        sleep 0.2
        title == "Login" ? ["blue sky", "grün"] : all.map { "42" }
      end
    end
    assert session.authenticated?
    assert_operator count, :>, 10
  end

  def test_one_fibre_accepts_what_another_opens
    session = connect
    listener, port = session.forward_listen_ex(1, HOST)
    got, = together(
      -> { listener.accept { |channel| channel.gets } },
      lambda {
        session.direct_tcpip(HOST, port) do |channel|
          channel.puts("through")
          channel.read
        end
      }
    )
    assert_equal "through\n", got
  end

  def test_a_host_is_reached_by_another
    outer = connect
    said, = together(lambda {
      session = SSH2::Session.new
      session.handshake(outer.direct_tcpip(HOST, PORT))
      session.userauth_publickey_fromfile(ENV.fetch("SSH2_USER"), KEY)
      run_command(session, "echo inside").read.tap { session.close }
    })
    assert_equal "inside\n", said
  end

  def test_streams_are_copied
    bytes = Random.new(5).bytes(500_000)
    session = connect
    copy = lambda do
      source = run_command(session, "cat")
      writer = Fiber.schedule do
        source.write(bytes)
        source.send_eof
      end
      target = StringIO.new("".b)
      IO.copy_stream(source, target)
      refute_predicate writer, :alive?
      target.string
    end
    assert_equal [bytes, bytes], together(copy, copy)
  end

  def test_what_does_not_block_is_waited_for
    session = connect
    channel = run_command(session, "read x; echo done")
    session.blocking = false
    line = nil
    count = 0
    together(
      lambda {
        session.wait while (line = channel.gets) == :wait_readable
      },
      lambda {
        (sleep 0.01) && count += 1 until count > 10
        channel.puts
      }
    )
    assert_equal "done\n", line
  end
end
