# A Fiber scheduler over IO.select: fibres wait for descriptors, for time and
# for each other.
class Scheduler
  # Run blocks as fibres of a thread: what they gave, or the first error.
  def self.run(*blocks)
    values = Array.new(blocks.size)
    errors = []
    Thread.new do
      Fiber.set_scheduler(new)
      blocks.each_with_index do |block, i|
        Fiber.schedule do
          values[i] = block.call
        rescue StandardError, Minitest::Assertion => e
          errors << e
        end
      end
    end.join
    raise errors.first unless errors.empty?

    values
  end

  attr_reader :waited # how often a fibre waited for a descriptor

  def initialize
    @waits = {} # fibre => [io, events, deadline]
    @timeouts = {} # the like, of blocks
    @ready = []
    @lock = Mutex.new
    @urgent = IO.pipe
    @waited = 0
  end

  def fiber(&block)
    Fiber.new(blocking: false, &block).tap(&:resume)
  end

  def io_wait(io, events, timeout)
    @waited += 1
    wait(io, events, timeout)
  end

  def kernel_sleep(duration = nil)
    wait(nil, 0, duration)
  end

  def block(_blocker, timeout = nil)
    wait(nil, 0, timeout)
  end

  # Called by any thread.
  def unblock(_blocker, fiber)
    @lock.synchronize { @ready << fiber }
    @urgent[1].write_nonblock(".")
  end

  def process_wait(pid, flags)
    Thread.new { Process::Status.wait(pid, flags) }.value
  end

  def timeout_after(duration, error, message)
    key = Object.new
    @timeouts[key] = [Fiber.current, now + duration, error, message]
    yield duration
  ensure
    @timeouts.delete(key)
  end

  def close
    turn until @waits.empty?
  ensure
    @urgent.each(&:close)
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
    read, write = select
    @urgent[0].read_nonblock(64) if read.include?(@urgent[0])
    woken = @lock.synchronize { @ready.slice!(0..) }
    woken.each { |fiber| fiber.resume(true) if @waits.key?(fiber) }
    @waits.to_a.each do |fiber, wait|
      io, _, deadline = wait
      next unless @waits[fiber].equal?(wait)

      events = 0
      events |= IO::READABLE if io && read.include?(io)
      events |= IO::WRITABLE if io && write.include?(io)
      if events.positive?
        fiber.resume(events)
      elsif deadline && deadline <= now
        fiber.resume(false)
      end
    end
    @timeouts.to_a.each do |key, (fiber, deadline, error, message)|
      fiber.raise(error, message) if deadline <= now && @timeouts.delete(key)
    end
  end

  def select
    deadlines = @waits.values.filter_map { |wait| wait[2] } +
                @timeouts.values.map { |timeout| timeout[1] }
    left = deadlines.empty? ? nil : [deadlines.min - now, 0].max
    ios = lambda do |event|
      @waits.values.filter_map { |io, events,| io if events.anybits?(event) }
    end
    found = IO.select(ios[IO::READABLE] + [@urgent[0]], ios[IO::WRITABLE],
                      nil, left)
    found ? found.first(2) : [[], []]
  end
end
