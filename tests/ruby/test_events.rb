# What the server does of its own reaches callbacks, and does no harm.
require_relative "common"
require "stringio"
require "weakref"

class TestEvents < Minitest::Test
  include Common

  OTHER = ENV["SSH2_ASYNCSSH_PORT"].to_i

  def setup
    skip "asyncssh is not installed" if OTHER.zero?
    @session = connect(OTHER)
  end

  def test_a_callback_may_use_the_session
    told = []
    @session.callback_set(SSH2::LIBSSH2_CALLBACK_DEBUG) do |message, *|
      told << message << read_all(run_command(@session, "echo inner"))
    end
    assert_equal "\n", read_all(run_command(@session, "@debug"))
    assert_equal ["see here", "inner\n"], told
  end

  def test_it_comes_while_a_read_waits
    told = nil
    @session.callback_set(SSH2::LIBSSH2_CALLBACK_X11, ->(*args) { told = args })
    assert_equal "0\n", read_all(run_command(@session, "@x11 1"))
    channel, *from = told
    assert_instance_of SSH2::Channel, channel
    assert_same @session, channel.session
    assert_equal ["display", 7], from
  end

  def test_what_it_raises_is_a_warning
    @session.callback_set(SSH2::LIBSSH2_CALLBACK_DEBUG) { raise "mine" }
    _, warning = capture_io do
      assert_equal "\n", read_all(run_command(@session, "@debug"))
    end
    assert_includes warning, "mine (RuntimeError)"
  end

  def test_what_ends_a_thread_ends_it
    @session.callback_set(SSH2::LIBSSH2_CALLBACK_DEBUG) { Thread.exit }
    thread = Thread.new do
      read_all(run_command(@session, "@debug"))
      @session.open_session
      :went_on
    end
    assert thread.join(20)
    assert_nil thread.value
    assert_equal "on\n", read_all(run_command(@session, "echo on"))
  end

  def test_a_throw_goes_through_and_no_byte_is_lost
    @session.callback_set(SSH2::LIBSSH2_CALLBACK_DEBUG) { throw :out, 7 }
    20.times do
      channel = @session.open_session
      data = "".b
      thrown = catch(:out) do
        channel.execute("@debug")
        100.times { sleep 0.01 and data << bytes(channel) }
      end
      assert_equal [7, "\n"], [thrown, data + read_all(channel)]
    end
  end

  def test_a_throw_out_of_a_pump_loses_nothing
    @session.callback_set(SSH2::LIBSSH2_CALLBACK_DEBUG) { throw :out }
    20.times do
      channel = @session.open_session
      got = StringIO.new
      catch(:out) { channel.execute("@debug") }
      sleep 0.02
      2.times { catch(:out) { channel.pump(got) } }
      assert_equal "\n", got.string
    end
  end

  def test_a_timeout_holds_in_a_callback
    @session.callback_set(SSH2::LIBSSH2_CALLBACK_DEBUG) { sleep 60 }
    start = now
    _, warning = capture_io do
      Timeout.timeout(0.5) { read_all(run_command(@session, "@debug")) }
    rescue Timeout::Error
      nil
    end
    assert_operator now - start, :<, 20, warning
  end

  def test_a_session_goes_with_its_callbacks
    gone = Array.new(10) do
      made = connect(OTHER)
      made.callback_set(SSH2::LIBSSH2_CALLBACK_DEBUG, method(:puts))
      WeakRef.new(made)
    end
    3.times { GC.start }
    assert_operator gone.count(&:weakref_alive?), :<, 5
  end

  def test_channels_that_nobody_took_are_closed
    @session.callback_set(SSH2::LIBSSH2_CALLBACK_X11) { GC.start }
    # The collector may overlook one that a register still names.
    assert_operator read_all(run_command(@session, "@x11 9")).to_i, :>, 4
  end
end

class TestTrace < Minitest::Test
  include Common

  def test_no_secret_is_in_a_line
    skip "libssh2 cannot trace" unless ENV["SSH2_TRACE"]
    lines = []
    session = connect
    session.trace_sethandler { |line| lines << line }
    session.trace(-1)
    channel = session.open_session
    channel.setenv("SSH2_TEST_A", "sEcReT")
    channel.execute("echo sEcReT")
    assert_equal "sEcReT\n", read_all(channel)
    session.trace(0)
    refute_empty lines
    assert_empty lines.grep(/sEcReT|73 45 63/)
    assert_equal Encoding::UTF_8, lines.first.encoding
  end
end
