# Objects at Ruby's edge: what is no object, who collects it, in which order.
require "tmpdir"
require_relative "common"
require "stringio"
require "open3"
require "openssl"
require "weakref"

class TestEdge < Minitest::Test
  include Common

  CLASSES = [SSH2::Session, SSH2::Channel, SSH2::Listener, SSH2::SFTP,
             SSH2::SFTPHandle, SSH2::SFTPAttributes, SSH2::SFTPStatVFS,
             SSH2::FileInfo, SSH2::KnownHost, SSH2::KnownHostEntry,
             SSH2::Agent, SSH2::PublicKey, SSH2::PublicKeySystem].freeze
  RECORDS = [SSH2::SFTPAttributes, SSH2::SFTPStatVFS, SSH2::FileInfo].freeze
  ODD = [nil, true, -1, 1 << 70, 1.5, Float::NAN, "a\0b", "\xff".b,
         "x".encode("UTF-16"), [], {}, Object.new, :symbol, $stdin].freeze

  def objects
    session = connect
    sftp = session.sftp_init
    hosts = session.knownhost_init
    hosts.readfile(ENV.fetch("SSH2_KNOWN_HOSTS"))
    agent = session.agent_init
    agent.connect
    made = {
      SSH2::Session => session,
      SSH2::Channel => run_command(session, "sleep 60"),
      SSH2::Listener => session.forward_listen(0),
      SSH2::SFTP => sftp, SSH2::SFTPHandle => sftp.opendir("/"),
      SSH2::SFTPAttributes => SSH2::SFTPAttributes.new,
      SSH2::SFTPStatVFS => sftp.statvfs("/"), SSH2::KnownHost => hosts,
      SSH2::FileInfo => session.scp_recv2(KEY) { |_, info| info },
      SSH2::KnownHostEntry => hosts.first, SSH2::Agent => agent,
      SSH2::PublicKey => agent.get_identities.first,
      SSH2::PublicKeySystem => session.publickey_init
    }
    # For what is tried on them; a subsystem may take longer to start.
    session.set_timeout(300)
    made
  end

  # What a call that nobody should make gives: a value or an exception.
  def attempt(object, method, *args)
    object.__send__(method, *args)
  rescue StandardError, NotImplementedError, NoMemoryError => e
    refute_instance_of SSH2::Error, e
    e
  end

  def test_what_libssh2_lacks_is_told
    error = assert_raises(SSH2::FunctionMissingError) do
      SSH2.__send__(:raise_missing, "libssh2_x")
    end
    assert_equal "libssh2 #{SSH2.version} has no libssh2_x", error.message
    assert_kind_of SSH2::Error, error
  end

  def test_only_sessions_and_records_can_be_made
    (CLASSES - RECORDS - [SSH2::Session]).each do |cls|
      assert_raises(TypeError) { cls.allocate }
      assert_raises(TypeError) { cls.new }
      assert_raises(TypeError) { Class.new(cls).allocate }
    end
  end

  def test_what_was_not_initialized_is_refused
    forgetful = Class.new(SSH2::Session) { def initialize; end }
    [SSH2::Session.allocate, forgetful.new].each do |session|
      SSH2::Session.instance_methods(false).each do |name|
        next if %i[sock methods].include?(name)

        (0..5).each do |count|
          error = attempt(session, name, *[0] * count)
          assert_kind_of StandardError, error, "#{name} #{count}"
        end
      end
    end
    assert_raises(TypeError) { SSH2::SFTPAttributes.allocate.uid }
    assert_raises(TypeError) { SSH2::SFTPStatVFS.allocate.f_bsize }
  end

  def test_initialize_happens_once
    session = SSH2::Session.new
    assert_raises(TypeError) { session.__send__(:initialize) }
    assert session.blocking?
  end

  def test_odd_arguments_never_crash
    names = CLASSES.to_h { |cls| [cls, cls.instance_methods(false)] }
    names.each do |cls, methods|
      object = objects.fetch(cls)
      methods.each do |method|
        # What is no host would be asked of the network.
        next if %i[wait timeout= set_timeout connect].include?(method)

        ODD.product([1, 2, 3, 5]).each do |odd, count|
          attempt(object, method, *[odd] * count)
        end
        object = objects.fetch(cls) if %i[close disconnect].include?(method)
      end
    end
  end

  def test_nil_is_no_object
    all = objects
    hosts, agent = all.values_at(SSH2::KnownHost, SSH2::Agent)
    sftp, file = all.values_at(SSH2::SFTP, SSH2::SFTPHandle)
    [nil, 5, all[SSH2::Session], SSH2::SFTPAttributes.allocate].each do |odd|
      assert_raises(TypeError) { hosts.delete(odd) }
      assert_raises(TypeError) { hosts.writeline(odd) }
      assert_raises(TypeError) { agent.userauth("me", odd) }
      assert_raises(TypeError) { sftp.setstat("/", odd) }
      assert_raises(TypeError) { file.fsetstat(odd) }
    end
  end

  def test_a_type_cannot_be_forged
    session = SSH2::Session.new
    session.instance_variable_set(:@__swigtype__, "_p_s2_channel")
    read = SSH2::Channel.instance_method(:read_ex)
    assert_raises(TypeError) { read.bind(session) }
    assert session.blocking?
  end

  def test_copies_are_refused
    objects.each do |cls, object|
      assert_raises(TypeError) { Marshal.dump(object) }
      next if cls == SSH2::SFTPAttributes

      assert_raises(TypeError) { object.dup }
      assert_raises(TypeError) { object.clone }
    end
    attributes = SSH2::SFTPAttributes.new(permissions: 0o600)
    copy = attributes.dup
    attributes.permissions = 0o644
    assert_equal 0o600, copy.permissions
  end

  def test_what_is_frozen_stays_as_it_is
    attributes = SSH2::SFTPAttributes.new(permissions: 0o600).freeze
    SSH2::SFTPAttributes::FIELDS.each do |name|
      assert_raises(FrozenError) { attributes.public_send(:"#{name}=", 5) }
    end
    assert_equal SSH2::SFTPAttributes.new(permissions: 0o600), attributes
    assert_raises(FrozenError) { attributes.clone.uid = 5 }
    attributes.dup.uid = 5
  end

  def test_what_says_the_same_is_equal
    attributes = SSH2::SFTPAttributes.new(permissions: 0o600)
    others = [SSH2::SFTPAttributes.new(permissions: 0o600),
              SSH2::SFTPAttributes.new(permissions: 0o644)]
    hosts = SSH2::Session.new.knownhost_init
    hosts.readfile(ENV.fetch("SSH2_KNOWN_HOSTS"))
    again = SSH2::Session.new.knownhost_init
    again.readfile(ENV.fetch("SSH2_KNOWN_HOSTS"))
    agent = SSH2::Session.new.agent_init
    agent.connect
    keys = agent.identities
    [[attributes, *others], [hosts.first, again.first, hosts.to_a[1]],
     [keys[0], agent.identities[0], keys[1]]].each do |one, same, other|
      assert_equal [true, true, one.hash],
                   [one == same, one.eql?(same), same.hash]
      assert_equal [false, false, false],
                   [one == other, one.eql?(other), one == 5]
      assert_equal [one], [one, same].uniq
    end
  end

  def test_weak_references_and_subclasses
    session = Class.new(SSH2::Session) { attr_accessor :mine }.new
    session.mine = 5
    assert_equal 5, WeakRef.new(session).mine
    session.connect(HOST, PORT, verify: false)
    session.userauth_publickey_fromfile(ENV.fetch("SSH2_USER"), KEY)
    assert_same session, session.open_session.session
  end

  def test_inspect_has_no_secrets_and_waits_for_nothing
    all = objects
    shown = all.values.map(&:inspect)
    refute_match(/@|0x/, shown.join)
    all[SSH2::Session].close
    all.each_value(&:inspect)
  end

  def test_every_parameter_has_a_name
    session = SSH2::Session.new
    error = assert_raises(ArgumentError) { session.connect(port: 5) }
    assert_match(/arguments/, error.message)
    assert_raises(ArgumentError) { session.connect("x", host: "y") }
    assert_raises(ArgumentError) { session.connect("x", hots: "y") }
    assert_raises(ArgumentError) { session.close(x: 1) }
    assert_raises(SSH2::ConnectError) do
      session.connect(verify: false, host: "127.0.0.1", port: 1)
    end
  end

  def test_a_name_that_is_none_is_told
    session = connect
    sftp = session.sftp_init
    sink = StringIO.new
    { x: -> { sftp.get(KEY, sink, x: 1) },
      fd: -> { sftp.get(KEY, sink, fd: 1) },
      object: -> { sftp.put(KEY, "/dev/null", object: sink) },
      local: -> { sftp.get(KEY, sink, local: "/dev/null") },
      remote: -> { sftp.get_tree("/", "/dev/null", remote: "/") },
      resume: -> { sftp.put_tree("/", "/dev/null", resume: true) },
      mode: -> { sftp.stat(".", mode: 1) },
      stdin: -> { session.open_session.pump(stdin: 0) },
      host: -> { SSH2::Session.open(HOST, PORT, host: HOST) },
      login: -> { SSH2::Session.open(HOST, PORT, login: "me") },
      required: -> { SSH2.version(required: 0x990000) },
      code: -> { SSH2.raise_code(errcode: -5, code: -5) },
      sym: -> { SSH2.__send__(:raise_missing, "x", sym: "x") } }
      .each do |name, call|
      error = assert_raises(ArgumentError, &call)
      assert_equal "unknown keyword: #{name.inspect}", error.message
    end
    assert_empty sink.string
  end

  def test_too_many_or_too_few
    sftp = connect.sftp_init
    [-> { sftp.get(KEY) }, -> { sftp.put(remote: "/dev/null") },
     -> { sftp.get }, -> { sftp.put(KEY, KEY, KEY) },
     -> { sftp.get_tree(KEY) }, -> { SSH2::Session.open },
     -> { SSH2.raise_code(code: -5) }].each do |call|
      error = assert_raises(ArgumentError, &call)
      assert_match(/\Awrong (number|#) of arguments/, error.message)
    end
  end

  def test_a_known_host_by_name
    hosts = SSH2::Session.new.knownhost_init
    type = SSH2::LIBSSH2_KNOWNHOST_TYPE_PLAIN |
           SSH2::LIBSSH2_KNOWNHOST_KEYENC_RAW |
           SSH2::LIBSSH2_KNOWNHOST_KEY_SSHRSA
    hosts.add(typemask: type, host: "h", salt: nil, key: "k")
    assert_equal "h", hosts.check("h", typemask: type, key: "k").name
    assert_raises(ArgumentError) { hosts.check("h", key: "k") }
  end

  def test_known_hosts_may_go_while_they_are_told
    hosts = SSH2::Session.new.knownhost_init
    hosts.readfile(ENV.fetch("SSH2_KNOWN_HOSTS"))
    count = hosts.count
    assert_operator count, :>, 1
    seen = 0
    hosts.each do |entry|
      seen += 1
      hosts.delete(entry)
    end
    assert_equal [count, 0], [seen, hosts.count]
  end

  def test_no_attributes_are_an_array
    keys = objects[SSH2::PublicKeySystem]
    [nil, 5, {}, [nil]].each do |odd|
      assert_raises(TypeError) { keys.add("n", "b", false, odd) }
      assert_raises(TypeError) { keys.add("n", "b", attrs: odd) }
    end
  end

  def test_what_is_opened_by_name
    SSH2::Session.open(host: HOST, port: PORT, user: ENV.fetch("SSH2_USER"),
                       known_hosts: ENV.fetch("SSH2_KNOWN_HOSTS"),
                       key: KEY) do |session|
      assert_predicate session, :authenticated?
    end
  end

  def test_an_error_that_is_raised_anew_says_what_it_is_given
    error = assert_raises(SSH2::Error) { connect.sftp_init.stat("/none") }
    other = assert_raises(error.class) { raise error, "while it ran" }
    assert_equal "while it ran", other.message
    assert_equal ["/none", error.code], [other.path, other.code]
    assert_same error, error.exception
    assert_includes error.message, "/none"
  end

  def test_a_callback_is_a_block_whatever_is_named
    session = connect
    assert_nil session.callback_set(cbtype: SSH2::LIBSSH2_CALLBACK_DEBUG) {}
  end

  def test_errors_are_what_they_say
    sftp = connect.sftp_init
    error = assert_raises(Errno::ENOENT) { sftp.stat("/nowhere/at all") }
    assert_instance_of SSH2::SFTPNoSuchFileError, error
    [SSH2::Error, SSH2::SSH2Error, SSH2::SFTPError,
     SSH2::SFTPProtocolError].each { |cls| assert_kind_of cls, error }
    assert_equal 2, error.sftp_status
    assert_equal Errno::ENOENT::Errno, error.errno
    assert_equal "/nowhere/at all", error.path
    assert_includes error.message, "/nowhere/at all"
    refute_operator SSH2::SFTPNoSuchFileError, :===, Errno::ENOENT.new
    assert_operator Errno::ENOENT, :===, error
    assert_raises(SSH2::Timeout) { SSH2.raise_code(-9) }
  end

  def test_each_entry_of_a_folder_has_its_own_long_name
    Dir.mktmpdir(nil, ENV.fetch("SSH2_TMP")) do |dir|
      names = %w[a bb ccc]
      names.each { |name| File.write("#{dir}/#{name}", name) }
      handle = connect.sftp_init.opendir(dir)
      found = []
      while (entry = handle.readdir)
        assert entry.longname.end_with?(" #{entry.name}"), entry.longname
        found << entry.name
      end
      assert_equal [".", "..", *names], found.sort
    end
  end

  def test_strings_stay_as_they_are
    channel = run_command(connect, "cat")
    text = "frozen".freeze
    assert_equal 6, channel.write(text)
    words = +"a" * 3_000_000
    copy = words.dup
    writer = Thread.new { channel.write(words) }
    reader = Thread.new do
      got = "".b
      got << channel.readpartial(1 << 20) while got.bytesize < 3_000_006
      got
    end
    sleep 0.01 until writer.stop?
    words.replace("gone")
    assert_equal 3_000_000, writer.value
    assert_equal "frozen#{copy}", reader.value
  end
end

class TestEnds < Minitest::Test
  include Common

  # Run a program that has the methods above: output, errors and status.
  def program(text)
    Open3.capture3(RbConfig.ruby, "-w", "-I#{__dir__}", "-r", "common", "-e",
                   "include Common\n#{text}")
  end

  def test_compaction_moves_nothing_that_is_in_use
    skip "no compaction here" unless GC.respond_to?(:compact)
    session = connect
    channels = Array.new(4) { run_command(session, "cat") }
    threads = channels.map.with_index do |channel, i|
      Thread.new do
        text = i.to_s * 70_000
        Array.new(20) do
          Thread.new { channel.write(text) }
          got = "".b
          got << channel.readpartial(100_000) while got.bytesize < text.bytesize
          got == text
        end
      end
    end
    while threads.any?(&:alive?)
      GC.verify_compaction_references(toward: :empty)
      sleep 0.01
    end
    assert_equal [true], threads.flat_map(&:value).uniq
  rescue NotImplementedError
    skip "no compaction here"
  end

  def test_exit_with_everything_alive
    out, err, status = program(<<~RUBY)
      session = connect
      $all = [session, session.sftp_init, session.sftp_init.opendir("/"),
              session.knownhost_init, run_command(session, "sleep 60")]
      Thread.new { $all.last.read(1) }
      Thread.new { loop { $all[1].stat("/") } }
      Thread.new { $all[1].open("/dev/zero").read(100_000) while true }
      at_exit { puts $all[1].realpath("/") }
      sleep 0.3
      puts "end"
    RUBY
    assert_equal ["end\n/\n", "", 0], [out, err, status.exitstatus]
  end

  def test_exit_bang_and_abort
    _, err, status = program(<<~RUBY)
      $session = connect
      Thread.new { run_command($session, "sleep 60").read(1) }
      sleep 0.2
      abort "over"
    RUBY
    assert_equal ["over\n", 1], [err, status.exitstatus]
  end

  def test_loading_gives_no_warning
    out, err, status = program("puts SSH2.version(0) ? 'loaded' : ''")
    assert_equal ["loaded\n", "", 0], [out, err, status.exitstatus]
  end

  def test_other_ractors_are_refused
    skip "no ractors" unless defined?(Ractor)
    out, = program(<<~RUBY)
      $VERBOSE = nil
      ractor = Ractor.new do
        SSH2::Session.new
      rescue Exception => e
        e.class.name
      end
      puts ractor.respond_to?(:value) ? ractor.value : ractor.take
    RUBY
    assert_equal "Ractor::UnsafeError\n", out
  end

  def test_objects_go_to_no_other_ractor
    skip "no ractors" unless defined?(Ractor)
    out, = program(<<~RUBY)
      $VERBOSE = nil
      session = SSH2::Session.new
      idle = Ractor.new { Ractor.receive }
      [-> { Ractor.make_shareable(session) },
       -> { idle.send(session, move: true) },
       -> { idle.send(session) }].each do |give|
        give.call
        puts "given"
      rescue Ractor::Error, TypeError
        puts session.closed?
      end
    RUBY
    assert_equal "false\n" * 3, out
  end

  # TLS takes what stands in the thread's queue for an error of its own.
  def test_nothing_is_left_in_the_queue_of_openssl
    OpenSSL.errors
    connect
    locked = "#{ENV.fetch('SSH2_KEYS')}/locked_pem"
    assert_raises(SSH2::FileError) do
      shake.userauth_publickey_fromfile(ENV.fetch("SSH2_USER"), locked, "no")
    end
    assert_empty OpenSSL.errors
  end
end
