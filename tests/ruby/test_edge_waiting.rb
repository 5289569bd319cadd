# Waiting at Ruby's edge: threads, signals, deadlines and Fiber schedulers.
require_relative "common"
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
    channel = run_command(connect, COUNT)
    got = "".b
    kills = 0
    until channel.eof?
      reader = Thread.new { while_waiting { got << channel.read(64).to_s } }
      sleep(rand * 0.004)
      reader.kill.join
      kills += 1
    end
    assert_equal NUMBERS, got
    assert_operator kills, :>, 20
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

  def test_timeout_ends_every_wait
    session = connect
    listener = TCPServer.new("127.0.0.1", 0)
    port = listener.addr[1]
    waits = {
      read: -> { run_command(session, "sleep 60").read(1) },
      wait_eof: -> { run_command(session, "sleep 60").wait_eof },
      connect: -> { SSH2::Session.new.connect("127.0.0.1", port) },
      handshake: lambda {
        SSH2::Session.new.handshake(TCPSocket.new("127.0.0.1", port))
      }
    }
    waits.each do |name, wait|
      took = seconds do
        assert_raises(Timeout::Error) { Timeout.timeout(0.2) { wait.call } }
      end
      assert_operator took, :<, 0.5, name
    end
    assert_equal "fine\n", run_command(session, "echo fine").read
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
    channel = run_command(connect, "sleep 0.6; echo later")
    old = trap("USR1") { throw :out, 5 }
    Thread.new { (sleep 0.2) && Process.kill("USR1", Process.pid) }
    assert_equal(5, catch(:out) { channel.read(10) })
    assert_equal "later\n", channel.read(10)
  ensure
    trap("USR1", old || "DEFAULT")
  end

  def test_masked_interrupts_wait
    channel = run_command(connect, "sleep 0.5; echo whole")
    got = nil
    thread = Thread.new do
      Thread.handle_interrupt(Object => :never) { got = channel.read(10) }
    end
    sleep 0.1
    thread.kill.join
    assert_equal "whole\n", got
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

# As small as a scheduler can be: fibres wait for descriptors and for time.
class Scheduler
  def initialize
    @waits = {}
    @ready = Queue.new
    @blocked = 0
    @urgent = IO.pipe
  end

  def fiber(&block)
    Fiber.new(blocking: false, &block).tap(&:resume)
  end

  def io_wait(io, events, timeout)
    wait(io, events, timeout)
  end

  def kernel_sleep(duration = nil)
    wait(nil, 0, duration)
  end

  def block(_blocker, timeout = nil)
    @blocked += 1
    wait(nil, 0, timeout)
  ensure
    @blocked -= 1
  end

  def unblock(_blocker, fiber)
    @ready << fiber
    @urgent[1].write_nonblock(".")
  end

  def close
    run
  ensure
    @urgent.each(&:close)
  end

  def run
    turn until @waits.empty?
  end

  private

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end

  def wait(io, events, timeout)
    fiber = Fiber.current
    @waits[fiber] = [io, events, timeout && (now + timeout)]
    Fiber.yield
  ensure
    @waits.delete(fiber)
  end

  def turn
    ends = @waits.values.filter_map { |_, _, deadline| deadline }.min
    read, write = select_ios(ends && [ends - now, 0].max)
    @urgent[0].read_nonblock(64) if read.delete(@urgent[0])
    @ready.pop.resume until @ready.empty?
    @waits.to_a.each do |fiber, (io, _, deadline)|
      events = 0
      events |= IO::READABLE if read.include?(io)
      events |= IO::WRITABLE if write.include?(io)
      if events.positive?
        fiber.resume(events)
      elsif deadline && deadline <= now
        fiber.resume(false)
      end
    end
  end

  def select_ios(timeout)
    ios = lambda do |event|
      @waits.values.filter_map { |io, events,| io if events.anybits?(event) }
    end
    read = ios[IO::READABLE] + [@urgent[0]]
    found = IO.select(read, ios[IO::WRITABLE], nil, timeout)
    found ? found.first(2).map(&:dup) : [[], []]
  end
end

class TestFibers < Minitest::Test
  include Common

  def seconds
    start = now
    yield
    now - start
  end

  # Run blocks as fibres of one thread under a scheduler: their values.
  def together(*blocks)
    values = {}
    Thread.new do
      Fiber.set_scheduler(Scheduler.new)
      blocks.each_with_index do |block, i|
        Fiber.schedule { values[i] = block.call }
      end
    end.join
    values.sort.map(&:last)
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
    took = seconds do
      session = nil
      together(
        lambda {
          session = connect
          order << run_command(session, "sleep 0.6; echo slow").read
        },
        lambda {
          sleep 0.01 until session&.authenticated?
          order << run_command(session, "echo fast").read
        },
        -> { 5.times { |i| (sleep 0.05) && order << i } }
      )
    end
    assert_equal "slow\n", order.last
    assert_equal [0, 1, 2, 3, 4], order.grep(Integer)
    assert_operator took, :<, 2
  end

  def test_a_deadline_holds_in_a_fibre
    session = connect
    session.set_timeout(200)
    took = seconds do
      together(lambda {
        channel = run_command(session, "sleep 60")
        assert_raises(SSH2::Timeout) { channel.read(1) }
      })
    end
    assert_operator took, :<, 1
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
end
