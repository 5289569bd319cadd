# Make the calls of cases on the Ruby module.
#
#     run.rb [FILE-OR-FOLDER...]
#
# runs the cases; conformance.py reads them, compares and prints.  It starts
# this program again to make the calls: requests come on standard input,
# replies go to standard output.
require "json"
require "open3"
require "socket"
require "stringio"
require "timeout"

SIGNER = File.expand_path("../sshd/signer.py", __dir__)
AGAIN = { "again" => true }.freeze

# --- the one table: Ruby's results as values of a case ----------------------

ERRORS = { "ArgumentError" => "ValueError", "IOError" => "ValueError",
           "RangeError" => "OverflowError",
           "NoMethodError" => "AttributeError",
           "SystemCallError" => "OSError",
           "Error" => "SSH2Error" }.freeze
BYTES_OR_END = ->(result) { (result || "").b }
BYTES = ->(result) { result&.b }
FIRST = ->(result) { result[0] }
SHAPES = { "read" => BYTES_OR_END, "read_ex" => BYTES_OR_END,
           "read_stderr" => BYTES_OR_END, "name" => BYTES, "comment" => BYTES,
           "version" => BYTES,
           "key" => ->(result) { result.unpack1("m") },
           "get_tree" => ->(moved) { moved.to_a },
           "put_tree" => ->(moved) { moved.to_a },
           "get_exit_signal" => FIRST, "window_read_ex" => FIRST,
           "window_write_ex" => FIRST }.freeze

def shape(method, result)
  return AGAIN if %i[wait_readable wait_writable].include?(result)

  SHAPES.key?(method) ? SHAPES[method].call(result) : result
end

# An IO's read and flush have those names: libssh2's go by others.
def call_method(owner, method, args, keys, &block)
  case [owner.class, method]
  when [SSH2::Channel, "read"] then return owner.read_ex(*args, **keys)
  when [SSH2::Channel, "flush"] then return owner.flush_ex(0, *args)
  when [SSH2::SFTPHandle, "read"]
    given = args + keys.values
    return given.empty? ? owner.read : owner.readpartial(*given)
  end
  owner.public_send(method, *args, **keys, &block)
rescue EOFError
  nil
end

# --- what a case may call without an object ---------------------------------

class Verbs
  attr_reader :sockets, :descriptors

  def initialize
    @sockets = []
    @descriptors = []
  end

  def it(value)
    value
  end

  def item(value, index)
    value[index]
  end

  def new(cls, *args)
    cls.new(*args)
  end

  def option(name)
    SSH2.build_options.fetch(name)
  end

  def at_least(number)
    !SSH2.version(number).nil?
  end

  def offers(cls)
    names = cls.public_instance_methods - Object.public_instance_methods
    names.map { |name| name.to_s.encode("UTF-8") }
  end

  # What the module has itself: of a class, or what needs no object.
  def functions(cls = nil)
    return SSH2.singleton_methods.map { |n| n.to_s.encode("UTF-8") } unless cls

    offers(cls).select do |name|
      cls.instance_method(name).owner.name.start_with?("SSH2")
    end
  end

  # The same, with the class's own, and without what stands on `each` alone.
  def waits(cls)
    own = cls.public_instance_methods(false) + cls.singleton_methods(false)
    all = offers(cls) - Enumerable.instance_methods.map(&:to_s)
    all | own.map { |name| name.to_s.encode("UTF-8") }
  end

  # The ports of those sockets that sshd is at the other end of.
  def ports
    sshd = ENV.fetch("SSH2_PORT").to_i
    ours = @sockets.select { |sock| sock.remote_address.ip_port == sshd }
    ours.map { |sock| sock.local_address.ip_port }
  end

  def socket(port = nil)
    port ||= ENV.fetch("SSH2_PORT")
    @sockets << TCPSocket.new(ENV.fetch("SSH2_HOST"), port)
    @sockets.last
  end

  def narrow(port = nil, both = nil)
    unless both
      return socket(port).tap { |sock| sock.setsockopt(:SOCKET, :SNDBUF, 4096) }
    end

    @sockets << Socket.new(:INET, :STREAM)
    %i[SNDBUF RCVBUF].each do |name|
      @sockets.last.setsockopt(:SOCKET, name, both)
    end
    @sockets.last.connect(Addrinfo.tcp(ENV.fetch("SSH2_HOST"), port))
    @sockets.last
  end

  def shake(port = nil)
    SSH2::Session.new.tap { |session| session.handshake(socket(port)) }
  end

  def connect(port = nil)
    session = shake(port)
    session.userauth_publickey_fromfile(
      ENV.fetch("SSH2_USER"), ENV.fetch("SSH2_KEY")
    )
    session
  end

  def answers(*rounds)
    recorded { rounds.shift }
  end

  def signs(key)
    recorded { |data, name| signed(data, "key", key, name) }
  end

  def token
    recorded do |data, _kind, _flags, application, handle|
      signed(data, "token", handle, application)
    end
  end

  def recorded
    asked = []
    callback = lambda do |*args|
      # Labels, which Python gives as bytes.
      args[0..1] = args[0..1].map(&:b) if args[2].is_a?(Array)
      asked << args
      yield(*args)
    end
    callback.define_singleton_method(:asked) { asked }
    callback
  end

  # What sshd/signer.py answers, which needs no sanitizer of ours.
  def signed(data, *words)
    out, status = Open3.capture2({ "LD_PRELOAD" => nil }, SIGNER, *words,
                                 stdin_data: data, binmode: true)
    raise "the signer failed" unless status.success?

    answer = JSON.parse(out)
    return answer.unpack1("m") if answer.is_a?(String)

    answer[0, 2] + answer[2..].map { |part| part.unpack1("m") }
  end

  def resigns(session, key, callback)
    ->(data, _) { session.sign_sk(data, key, "", callback) }
  end

  def notes
    recorded { nil }
  end

  def intrudes(session)
    ->(*) { session.userauth_list("root") }
  end

  def raises
    ->(*) { raise KeyError, "from the callback" }
  end

  # What reads and writes, and fails at its end by `last`.
  def stream(data = nil, last = nil)
    stream = StringIO.new((data || "").b)
    stream.define_singleton_method(:write, &raises) unless data
    return stream unless last

    Object.new.tap do |object|
      object.define_singleton_method(:read) { |n| stream.read(n) || last.call }
    end
  end

  # What takes so many bytes at a time.
  def sips(most)
    stream = StringIO.new("".b)
    write = stream.method(:write)
    stream.define_singleton_method(:write) do |bytes|
      write.call(bytes.byteslice(0, most))
    end
    stream
  end

  # The same, whose second write raises.
  def trips(most)
    stream = sips(most)
    sip = stream.method(:write)
    writes = [sip, raises]
    stream.define_singleton_method(:write) do |bytes|
      (writes.shift || sip).call(bytes)
    end
    stream
  end

  # What writes nothing, and answers so.
  def says(answer)
    Object.new.tap do |object|
      object.define_singleton_method(:write) { |_| answer }
    end
  end

  def held(stream)
    stream.string
  end

  def descriptor(path)
    @descriptors << File.open(path, "a+")
    @descriptors.last.fileno
  end

  def skip(descriptor, count)
    @descriptors.find { |io| io.fileno == descriptor }.sysread(count)
    nil
  end

  # An end of a pipe; the other is read, or written to.
  def pipe(data = nil)
    ours, theirs = data ? IO.pipe.reverse : IO.pipe
    @descriptors << theirs
    @copying = Thread.new do
      data ? ours.write(data) : ours.binmode.read
    ensure
      ours.close
    end
    theirs.fileno
  end

  def drained
    @descriptors.pop.close
    @copying.value
  end

  def asked(callback)
    callback.asked
  end

  def names(handle, most = nil)
    list = []
    while list.size != most && (entry = handle.readdir)
      return AGAIN if entry.is_a?(Symbol)

      list << entry.name.b
    end
    list.sort
  end

  # What malloc() says of itself, into a file.
  def heap(path)
    file = libc("fopen", [path, "w"])
    libc("malloc_info", [0, file])
    libc("fclose", [file])
    nil
  end

  def libc(name, args)
    require "fiddle"
    types = args.map do |arg|
      arg.equal?(0) ? Fiddle::TYPE_INT : Fiddle::TYPE_VOIDP
    end
    Fiddle::Function.new(Fiddle.dlopen(nil)[name], types, Fiddle::TYPE_VOIDP)
                    .call(*args)
  end

  def entries(hosts, prev = nil)
    list = []
    list << prev while (prev = hosts.get(prev))
    list
  end
end

# --- requests and replies ---------------------------------------------------

class Calls
  MODES = %w[plain interrupt timeout kill raise fiber].freeze

  def initialize(&say)
    @verbs = Verbs.new
    @vars = {}
    @say = say
  end

  def reply(request)
    if (mode = request.delete("mode"))
      @seconds = request.delete("seconds") # until what ends it does so
      return waiting(mode, request)
    elsif request.delete("beside")
      Thread.new { reply(request) }
      return
    elsif request.key?("call")
      begin
        return encode(call(request))
      rescue Exception => e # rubocop:disable Lint/RescueException
        return error(e)
      end
    end
    @vars.delete(request["drop"])
    if request.key?("end")
      @vars.clear
      (@verbs.sockets + @verbs.descriptors).each(&:close)
      @verbs = Verbs.new
    end
    GC.start
    nil
  end

  # A call that waits: when it was to end and did, what it let go on, and what
  # it gave.
  def waiting(mode, request)
    ticks = 0
    beside = Thread.new { (sleep 0.005) && ticks += 1 while true }
    asked, result, own = send(:"mode_#{MODES.fetch(MODES.index(mode))}",
                              request)
    [asked, now, own || ticks, result]
  ensure
    beside.kill.join
  end

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end

  def mode_plain(request)
    [now, reply(request)]
  end

  # The driver sends SIGINT, and knows when it did.
  def mode_interrupt(request)
    trap("INT", "DEFAULT")
    @say.call("waits")
    [0, encode(call(request))]
  rescue Interrupt
    [0, "interrupted"]
  rescue StandardError => e
    [0, error(e)]
  ensure
    trap("INT", "IGNORE") # it may come late
  end

  def mode_timeout(request)
    last = now + @seconds
    [last, Timeout.timeout(@seconds) { encode(call(request)) }]
  rescue Timeout::Error
    [last, "ended"]
  rescue StandardError => e
    [last, error(e)]
  end

  def mode_kill(request)
    in_thread(request, &:kill)
  end

  def mode_raise(request)
    in_thread(request) { |thread| thread.raise(KeyError, "told") }
  end

  def in_thread(request)
    result = nil
    thread = Thread.new do
      result = encode(call(request))
    rescue KeyError => e
      raise unless e.message == "told"
    rescue StandardError => e
      result = error(e)
    end
    sleep @seconds
    last = now
    yield thread
    [last, thread.join(5) ? result || "ended" : "it waits on"]
  end

  # Another fibre goes on, and Timeout, by the scheduler, ends the call's.
  def mode_fiber(request)
    require_relative "scheduler"
    ticks = 0
    done = last = result = nil
    Scheduler.run(
      lambda {
        last, result = mode_timeout(request)
        done = true
      },
      -> { (sleep 0.005) && ticks += 1 until done }
    )
    [last, result, ticks]
  end

  def call(request)
    method = request["call"]
    owner = request["on"] ? decode(request["on"]) : @verbs
    args = request["args"].map { |arg| decode(arg) }
    keys = request["keys"].to_h { |key, arg| [key.to_sym, decode(arg)] }
    block = args.pop if request["on"] && args.last.is_a?(Proc)
    value = shape(method, call_method(owner, method, args, keys, &block))
    @vars[request["name"]] = value if request["name"]
    value
  end

  # The names of its class and of those above, as a case has them.
  def error(err)
    names = err.class.ancestors.map { |cls| cls.name.to_s.split("::").last }
    names.reject! { |name| name == "Other" }
    names.map! { |name| ERRORS.fetch(name, name) }
    { "error" => [names, asked(err, :code), asked(err, :sftp_status),
                  err.full_message.dup.force_encoding("UTF-8").scrub] }
  end

  def asked(err, name)
    err.respond_to?(name) ? err.public_send(name) : nil
  end

  def decode(value)
    return value.map { |item| decode(item) } if value.is_a?(Array)
    return value unless value.is_a?(Hash)
    return value["bytes"].unpack1("m") if value.key?("bytes")
    return @vars.fetch(value["var"]) if value.key?("var")
    return SSH2.const_get(value["class"]) if value.key?("class")

    value["const"].map { |name| SSH2.const_get(name) }.reduce(:|)
  end

  def encode(value)
    case value
    when AGAIN, Numeric, nil, true, false then value
    when Array then value.map { |item| encode(item) }
    when String
      text = value.encoding == Encoding::UTF_8 && value.valid_encoding?
      text ? value : { "bytes" => [value].pack("m0") }
    else { "is" => value.class.name.split("::").last, "id" => value.object_id }
    end
  end
end

if ARGV != ["--calls"]
  exec(File.join(__dir__, "..", "conformance.py"), "ruby", *ARGV)
end

require "ssh2"
out = $stdout.dup
calls = Calls.new do |value|
  out.puts(JSON.generate({ "value" => value }))
  out.flush
end
$stdout.reopen($stderr) # what a module prints is no reply
# Not by lines: to grow a long one takes the address sanitizer seconds.
$stdin.each_line do |size|
  value = calls.reply(JSON.parse($stdin.read(size.to_i)))
  out.puts(JSON.generate({ "value" => value }))
  out.flush
end
