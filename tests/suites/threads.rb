# Sixteen threads on one session, and two hundred sessions in fifty threads.
#
#     threads.rb [SEED]
#
# threads.py does the same; keep them alike.
require_relative "suite"
require "digest"
require "fileutils"
require "socket"
require "ssh2"
require "timeout"

HOST = ENV.fetch("SSH2_HOST")
PORT = ENV.fetch("SSH2_PORT").to_i
KEY = ENV.fetch("SSH2_KEY")
TMP = ENV.fetch("SSH2_TMP")
THREADS = 16
SECONDS = LONG ? 60 : 10
SESSIONS = LONG ? 1000 : 200
AT_ONCE = 50
ENTRIES = 300
HANGS = 60 # seconds after which what should be over hangs
SEED = (ARGV[0] || 1).to_i
TALLY = Tally.new("threads ruby")
$stdout.sync = true

# A call came to something else than it must.
class Wrong < StandardError
end

# What one thread raises in another.
class Interrupted < StandardError
end

module Common
  def must(true_or_not, what)
    raise Wrong, what unless true_or_not
  end

  def connect
    session = SSH2::Session.new
    session.handshake(TCPSocket.new(HOST, PORT))
    session.userauth_publickey_fromfile(ENV.fetch("SSH2_USER"), KEY)
    session
  end

  # Of IPv4 alone: else sshd may get a port that is another's there.
  def listen_on(session)
    session.forward_listen_ex(16, HOST)[0]
  end

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end

  def digest(data)
    Digest::SHA256.hexdigest(data)
  end

  # Start them all, wait for all, and tell what they raised.
  def join(threads, seconds = HANGS)
    finish = now + seconds
    threads.each do |thread|
      next if thread.join([finish - now, 0].max)

      TALLY.hang("a thread, with seed #{SEED}")
      puts(Thread.list.flat_map { |t| ["#", *t.backtrace] })
      exit!(TALLY.end)
    end
  end

  def start(what)
    Thread.new do
      yield
    rescue Exception => e
      TALLY.wrong("#{what}: #{e.inspect}")
    end
  end
end
include Common

# --- one session --------------------------------------------------------------

# What all threads use, and for how long.
class Shared
  attr_reader :session, :sftp, :room, :lost, :hurry, :count, :folder, :names,
              :sequence
  attr_accessor :hurried

  def initialize
    @session = connect
    @sftp = @session.sftp_init
    @finish = now + SECONDS
    # sshd lets ten sessions be open in a connection, SFTP's among them.
    @room = SizedQueue.new(8)
    @lost = Queue.new # for whoever drops it
    @hurry = Mutex.new
    @hurried = 0 # odd while calls have a short time
    @count = Hash.new(0)
    @counting = Mutex.new
    @folder = File.join(TMP, "many")
    Dir.mkdir(@folder)
    @names = (0...ENTRIES).map { |i| "entry #{i}" }.sort
    @names.each { |name| FileUtils.touch(File.join(@folder, name)) }
    @sequence = digest((1..400_000).map { |i| "#{i}\n" }.join)
  end

  def over?
    now > @finish
  end

  def done(name)
    @counting.synchronize { @count[name] += 1 }
    TALLY.ok
  end
end

# One thread's jobs, each of which checks all that it gets.
class Worker
  JOBS = %i[command] * 6 + %i[cat] * 4 + %i[file] * 8 + %i[stat] * 8 +
         %i[list] + %i[tunnel] * 4 + %i[listen] * 3 + %i[fill] +
         %i[close_under_reader] * 2 + %i[drop] * 3 + %i[hurry] +
         %i[interrupt] * 2

  def initialize(shared, number)
    @all = shared
    @number = number
    @session = shared.session
    @sftp = shared.sftp
    @random = Random.new(SEED * 1000 + number)
  end

  def run
    one(JOBS.uniq.rotate(@number)[0]) # each is somebody's first
    one(JOBS.sample(random: @random)) until @all.over?
  end

  private

  def one(job)
    before = @all.hurried
    send(job)
    @all.done(job)
  rescue SSH2::Timeout => e
    if another_s(before)
      @all.done(:timed_out)
    else
      TALLY.wrong("#{job}: #{e.inspect}, seed #{SEED}")
    end
  rescue StandardError => e
    TALLY.wrong("#{job}: #{e.inspect}, seed #{SEED}")
  end

  # One that runs a command; sshd may have no room for a moment.
  def channel(command)
    @all.room.push(true)
    finish = now + HANGS
    begin
      channel = @session.open_session
    rescue SSH2::ChannelFailure
      must(now < finish, "never room for a channel")
      sleep 0.01
      retry
    end
    channel.execute(command)
    yield channel
  ensure
    @all.room.pop
    channel&.close
  end

  # A timeout since `before`, was it meant for another thread?
  def another_s(before)
    before.odd? || before != @all.hurried
  end

  def some(most)
    @random.bytes(1 + @random.rand(most))
  end

  def read_exactly(channel, size)
    data = channel.read(size) || ""
    must(data.bytesize == size, "an end after #{data.bytesize} of #{size}")
    data
  end

  def command
    out = @random.rand.to_s
    err = @random.rand.to_s
    status = @random.rand(256)
    channel("printf %s '#{out}'; printf %s '#{err}' >&2; " \
            "exit #{status}") do |channel|
      must(channel.read == out, "another's output")
      must(channel.stderr.read == err, "another's error output")
      channel.close
      channel.wait_closed
      must(channel.exit_status == status, "another's status")
    end
  end

  def cat
    data = some(200_000)
    channel("sha256sum; cat >&2") do |channel|
      must(channel.write(data) == data.bytesize, "a short write")
      channel.send_eof
      must(channel.read.split[0] == digest(data), "other bytes went there")
      must(channel.stderr.read == "", "bytes of nobody")
    end
  end

  def file
    data = some(200_000)
    path = File.join(TMP, "file #{@number}")
    @sftp.open(path, "w", 0o600) do |file|
      must(file.write(data) == data.bytesize, "a short write")
      must(file.fstat.filesize == data.bytesize, "another's size")
    end
    must(digest(File.binread(path)) == digest(data), "other bytes went there")
    must(@sftp.stat(path).filesize == data.bytesize, "another's size")
    back = @sftp.open(path, &:read)
    must(digest(back) == digest(data), "other bytes came back")
    @sftp.unlink(path)
    must(!File.exist?(path), "a file that was deleted is there")
  end

  def stat
    must(@sftp.stat(KEY).filesize == File.size(KEY), "another's size")
    begin
      @sftp.stat("/none")
    rescue Errno::ENOENT
      return
    end
    raise Wrong, "a file that is not there"
  end

  def list
    names = []
    @sftp.opendir(@all.folder) do |folder|
      before = @all.hurried
      folder.each_entry { |entry| names << entry.name }
    rescue SSH2::Timeout # which loses no entry
      another_s(before) ? retry : raise
    end
    must(names.size == ENTRIES + 2, "#{names.size} entries")
    must((names - %w[. ..]).sort == @all.names, "other names")
  end

  def tunnel
    data = some(100_000)
    channel = @session.direct_tcpip(HOST, ENV.fetch("SSH2_ECHO_PORT").to_i)
    must(channel.write(data) == data.bytesize, "a short write")
    must(read_exactly(channel, data.bytesize) == data, "another's echo")
    channel.send_eof
    must(channel.read == "", "bytes of nobody")
    channel.close
  end

  def listen
    data = some(50_000)
    more = some(50_000)
    listener = listen_on(@session)
    TCPSocket.open(HOST, listener.port) do |sock|
      channel = listener.accept
      sock.write(data)
      must(read_exactly(channel, data.bytesize) == data, "other bytes came")
      must(channel.write(more) == more.bytesize, "a short write")
      channel.send_eof
      must(sock.read.b == more, "other bytes went there")
      channel.close
    end
    listener.close
  end

  # More than a window holds, which nobody reads for a while.
  def fill
    channel("seq 400000; echo end >&2") do |channel|
      sleep(@random.rand / 10)
      must(digest(channel.read) == @all.sequence, "other bytes came")
      must(channel.stderr.read == "end\n", "no end came")
    end
  end

  def close_under_reader
    outcome = nil
    before = @all.hurried
    channel("cat") do |channel|
      reader = start("a reader") do
        outcome = channel.read
      rescue SSH2::ChannelClosedError, SSH2::ClosedError
        outcome = :closed
      rescue SSH2::Timeout
        outcome = another_s(before) ? :closed : raise
      end
      sleep(@random.rand / 50)
      channel.close
      join([reader])
    end
    # Or the end that the server sent when it was told.
    must([:closed, ""].include?(outcome), "a reader got #{outcome.inspect}")
  end

  # Another thread drops what this one has opened.
  def drop
    @all.room.push(true)
    @all.lost.push(case @random.rand(4)
                   when 0 then @sftp.open(KEY)
                   when 1 then @sftp.opendir("/")
                   when 2 then listen_on(@session)
                   else @session.open_session
                   end)
    @all.lost.pop if @all.lost.size > 1
    GC.start if @random.rand < 0.1
  rescue SSH2::ChannelFailure
    nil # sshd has no room
  ensure
    @all.room.pop
  end

  # A call that may not take long, beside all others; and once more.
  def hurry
    channel("cat") do |channel|
      @all.hurry.synchronize do
        @all.hurried += 1
        @session.set_timeout(30)
        channel.read
        raise Wrong, "nothing was to be read"
      rescue SSH2::Timeout
        nil
      ensure
        @session.set_timeout(0)
        @all.hurried += 1
      end
      still_there(channel)
    end
  end

  # What ends a thread, or its call, loses no byte.
  def interrupt
    channel("cat") do |channel|
      case @random.rand(3)
      when 0
        begin
          ::Timeout.timeout(0.001 + @random.rand / 30) { channel.read }
          raise Wrong, "nothing was to be read"
        rescue ::Timeout::Error
          nil
        end
      when 1 then interrupt_reader(channel, &:kill)
      else interrupt_reader(channel) { |reader| reader.raise(Interrupted) }
      end
      still_there(channel)
    end
  end

  def interrupt_reader(channel)
    came = nil
    before = @all.hurried
    reader = Thread.new do
      came = channel.read
    rescue SSH2::Timeout => e
      raise e unless another_s(before)
    end
    reader.report_on_exception = false
    sleep(0.001 + @random.rand / 30)
    yield reader
    begin
      join([reader])
    rescue Interrupted
      nil
    end
    must(came.nil?, "nothing was to be read")
  end

  def still_there(channel)
    channel.write("late")
    must(read_exactly(channel, 4) == "late", "other bytes came")
  end
end

# Each waits for what never comes, until the session is closed.
def close_under_all(session)
  waiting = (0...THREADS).map do |number|
    start("a call on a closed session") do
      if number.odd?
        listen_on(session).accept
      else
        channel = session.open_session
        channel.execute("cat")
        (number % 4).zero? ? channel.wait_eof : channel.read
      end
      raise Wrong, "it came back"
    rescue SSH2::ClosedError, SSH2::ChannelFailure
      nil # closed, or sshd has no room
    end
  end
  sleep 0.3
  session.close
  join(waiting)
end

def one_session
  shared = Shared.new
  workers = (1...THREADS).map do |number|
    start("thread #{number}") { Worker.new(shared, number).run }
  end
  Worker.new(shared, 0).run
  join(workers)
  shared.lost.clear
  counts = shared.count.sort.map { |name, count| "#{name} #{count}" }
  puts "# #{THREADS} threads, #{SECONDS} s: #{counts.join(', ')}"
  close_under_all(shared.session)
end

# --- one that waits, and others -----------------------------------------------

# What waits for a channel, a connection, a file; commands meanwhile.
def waiting_holds_up_nobody
  session = connect
  order = Queue.new
  sftp = session.sftp_init
  channel = session.open_session
  channel.execute("cat")
  listener = listen_on(session)
  fifo = File.join(TMP, "fifo")
  File.mkfifo(fifo)
  command = lambda do
    start = now
    session.open_session do |other|
      other.execute("echo fine")
      must(other.read == "fine\n", "another's output")
    end
    now - start
  end
  wait = lambda do |name, call|
    start(name) do
      order << "#{name} begins"
      call.call
      order << "#{name} ends"
    end
  end
  usual = -> { (0...9).map { command.call }.sort[4] }
  alone = usual.call
  waiting = [
    wait.call("read", -> { channel.readpartial(9) }),
    wait.call("accept", -> { listener.accept }),
    wait.call("open", -> { sftp.open(fifo) })
  ]
  sleep 0.01 while order.size < 3
  sleep 0.3
  times = (0...30).map { command.call.tap { order << "command" } }
  beside = times.sort[15]
  channel.write("end")
  waiting[0].join(HANGS)
  TCPSocket.open(HOST, listener.port).close
  waiting[1].join(HANGS)
  File.open(fifo, "wb") { join(waiting) }
  alone = [alone, usual.call].max # the machine may be slower by now
  puts format("# a command takes %.1f ms, %.1f ms beside three that wait, " \
              "at most %.1f ms", alone * 1000, beside * 1000, times.max * 1000)
  order = Array.new(order.size) { order.pop }
  must(order[0, 3].sort == ["accept begins", "open begins", "read begins"] &&
       order[3, 30] == ["command"] * 30 &&
       order[33..] == ["read ends", "accept ends", "open ends"],
       "in another order: #{order}")
  must(beside < 5 * alone + 0.1, "commands wait for those that wait")
  must(times.max < HANGS, "a command waits for those that wait")
  session.close
  TALLY.ok(30)
end

# --- many sessions ------------------------------------------------------------

def one_of_many(number)
  text = "session #{number}"
  path = File.join(TMP, "s#{number}")
  session = connect
  channel = session.open_session
  channel.execute("echo #{text}; exit #{number % 200}")
  must(channel.read == "#{text}\n", "another's output")
  channel.close
  channel.wait_closed
  must(channel.exit_status == number % 200, "another's status")
  session.sftp_init do |sftp|
    sftp.write(path, text, 0o600)
    must(sftp.read(path) == text, "another's file")
    must(sftp.stat(path).filesize == text.size, "another's size")
    sftp.unlink(path)
  end
  session.close
  TALLY.ok
end

def many_sessions
  start = now
  numbers = Queue.new
  SESSIONS.times { |number| numbers << number }
  numbers.close
  workers = (0...AT_ONCE).map do
    start("a session") do
      while (number = numbers.pop)
        one_of_many(number)
      end
    end
  end
  join(workers, 4 * HANGS)
  puts format("# #{SESSIONS} sessions, #{AT_ONCE} at once: %.1f s", now - start)
end

# --- all of it ----------------------------------------------------------------

# How many there are: [pipes, others].
def descriptors
  kinds = Dir.children("/proc/self/fd").filter_map do |fd|
    File.readlink("/proc/self/fd/#{fd}")[0, 5]
  rescue Errno::ENOENT
    nil # the list's own
  end
  [kinds.count("pipe:"), kinds.size - kinds.count("pipe:")]
end

# All threads end, and no descriptor is left but in the pool of pipes, two for
# each call that ever waited at once.
def nothing_left(part, threads)
  pipes, others = descriptors
  before = Thread.list.size
  send(part)
  3.times { GC.start } # a session's socket is Ruby's, and may be on the stack
  pipes_now, others_now = descriptors
  must(Thread.list.size == before, "threads are left")
  must(others_now <= others, "#{others_now - others} descriptors are left")
  must(pipes_now <= pipes + 2 * threads, "#{pipes_now - pipes} pipes more")
end

def main
  parts = { one_session: 2 * THREADS, waiting_holds_up_nobody: 4,
            many_sessions: AT_ONCE }
  puts "1..#{parts.size}", "# seed #{SEED}"
  parts.each.with_index(1) do |(part, threads), number|
    before = TALLY.bad.values.sum
    begin
      nothing_left(part, threads)
    rescue StandardError => e
      TALLY.wrong("#{part}: #{e.inspect}")
    end
    result = before == TALLY.bad.values.sum ? "ok" : "not ok"
    puts "#{result} #{number} - #{part.to_s.tr('_', ' ')}"
  end
  exit TALLY.end
end
main
