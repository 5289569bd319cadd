# Transfers beside other work: threads, blocks, objects, ends amid a file.
require_relative "common"
require "pathname"
require "stringio"
require "tmpdir"

class TestTransfers < Minitest::Test
  include Common

  DATA = ((0..250).to_a.pack("C*") * 20_000).freeze # five million

  def setup
    @folder = Dir.mktmpdir(nil, ENV.fetch("SSH2_TMP"))
    @here = "#{@folder}/here"
    @there = "#{@folder}/there"
    File.binwrite(@there, DATA)
    @session = connect
    @sftp = @session.sftp_init
  end

  def teardown
    @session.close
    FileUtils.remove_entry(@folder)
  end

  def names
    Dir.children(@folder).sort
  end

  def test_a_write_goes_where_the_reader_is
    sftp = connect(ENV.fetch("SSH2_LIAR_PORT").to_i).sftp_init
    [0, 1, 20, 37, 41, 45, 60].each do |before|
      handle = sftp.open("/told-offset/x", SSH2::LIBSSH2_FXF_READ, 0)
      place = Array.new(before) { handle.readpartial(1000).size }.sum
      assert_equal place, handle.tell64
      error = assert_raises(SSH2::Error) { handle.write("x") }
      assert_includes error.message, "(status #{1000 + place})"
    end
  end

  def test_a_name_here_is_its_bytes
    here, tree, key, hosts = %w[file tree key hosts].map do |word|
      "#{@folder}/#{word}-gr\u00fcn".encode("ISO-8859-1")
    end
    assert_equal DATA.bytesize, @sftp.get(@there, here)
    assert_equal DATA.bytesize, @sftp.put(Pathname(here), @here)
    Dir.mkdir("#{@folder}/empty")
    @sftp.get_tree("#{@folder}/empty", tree)
    @sftp.put_tree(tree, "#{@folder}/again")
    known = @session.knownhost_init
    known.readfile(ENV.fetch("SSH2_KNOWN_HOSTS"))
    known.writefile(hosts)
    assert_equal known.count, @session.knownhost_init.readfile(hosts)
    FileUtils.cp(KEY, key)
    SSH2::Session.open(HOST, PORT, known_hosts: hosts, key: key,
                                   user: ENV.fetch("SSH2_USER"), &:close)
    agent = @session.agent_init
    agent.set_identity_path(here)
    assert File.identical?(here, agent.identity_path)
    [tree, key, hosts].each { |path| assert_path_exists path }
  end

  def test_a_name_here_is_one_that_a_file_may_have
    assert_raises(ArgumentError) { @sftp.get(@there, "a\0b") }
    assert_raises(TypeError) { @sftp.get_tree(@there, nil) }
    assert_raises(Encoding::CompatibilityError) do
      @sftp.get(@there, @here.encode("UTF-16LE"))
    end
  end

  def test_more_threads_than_lanes
    threads = (0...9).map do |number|
      Thread.new do
        @sftp.put(@there, "#{@there}#{number}")
        @sftp.get("#{@there}#{number}", "#{@here}#{number}")
        File.binread("#{@here}#{number}") == DATA
      end
    end
    @sftp.stat(@there) while threads.any?(&:alive?)
    assert_equal [true] * 9, threads.map(&:value)
  end

  def test_a_block_is_told_of_progress_and_may_use_the_session
    told = []
    count = @sftp.get(@there, @here) do |done, total|
      told << [done, total, @sftp.stat(@there).filesize]
    end
    assert_equal DATA.bytesize, count
    assert_equal [DATA.bytesize] * 3, told.last
  end

  def begin_at(target, &place)
    while place.call.zero?
      skip "all came at once" unless @sftp.get(@there, target).is_a?(Symbol)
    end
  end

  def whole(target)
    count = @sftp.get(@there, target) until count.is_a?(Integer)
    assert_equal DATA.bytesize, count
  end

  def test_one_that_is_left_goes_to_no_other_object
    @session.blocking = false
    first, second = Array.new(2) { StringIO.new("".b) }
    begin_at(first) { first.pos }
    begin_at(second) { second.pos }
    [first, second].each { |io| whole(io) }
    assert_equal [DATA] * 2, [first, second].map(&:string)
  end

  def test_one_that_is_left_goes_to_no_other_file
    @session.blocking = false
    File.open(@here, "wb") do |first|
      begin_at(first.fileno) { first.pos }
      File.open("#{@here}2", "wb") { |second| first.reopen(second) }
      begin_at(first.fileno) { first.pos }
      first.truncate(0)
      first.rewind
      whole(first.fileno)
    end
    assert_equal DATA, File.binread("#{@here}2")
  end

  def test_a_callback_never_waits_for_its_own_transfer
    deep = 0
    sink = Object.new
    get = -> { @sftp.get(@there, sink) }
    sink.define_singleton_method(:write) do |_|
      deep += 1
      get.call
    end
    error = assert_raises(SSH2::BadUseError, &get)
    assert_includes error.message, "callbacks"
    assert_equal 4, deep # an SFTP's own channels
    assert_equal DATA.bytesize, @sftp.get(@there, @here)
  end

  def test_callbacks_never_wait_for_each_other
    met, errors = Queue.new, Queue.new
    threads = Array.new(4) do
      Thread.new do
        inner = nil
        @sftp.get(@there, StringIO.new) do
          next if inner

          met << true
          sleep 0.001 until met.size == 4 # all channels are taken
          inner = @sftp.get(@there, StringIO.new)
        end
      rescue SSH2::BadUseError => e
        errors << e
      end
    end
    threads.each(&:join)
    assert_includes 1..3, errors.size
    assert_equal DATA.bytesize, @sftp.get(@there, @here)
  end

  def test_who_waits_no_longer_is_waited_for
    taken, errors, over = Queue.new, Queue.new, Queue.new
    threads = Array.new(4) do |number|
      Thread.new do
        inner = false
        @sftp.get(@there, StringIO.new) do
          next if inner

          inner = taken << true
          sleep 0.001 until taken.size == 4 # all channels are
          @session.timeout = 200
          sleep 0.001 until number < 3 || errors.size == 3
          errors << assert_raises(SSH2::Error) do
            @sftp.get(@there, StringIO.new)
          end
          over.pop
        end
      end
    end
    sleep 0.001 until errors.size == 4
    @session.timeout = 0
    over.close
    threads.each(&:join)
    assert_equal [SSH2::Timeout] * 4, Array.new(4) { errors.pop.class }
  end

  def test_paths_and_objects_of_all_sorts
    assert_equal DATA.bytesize, @sftp.get(@there, Pathname(@here))
    assert_equal DATA, File.binread(@here)
    File.open(@here, "wb") { |file| @sftp.get(@there, file) }
    assert_equal DATA, File.binread(@here)
    io = StringIO.new("".b)
    @sftp.get(@there, io)
    assert_equal DATA, io.string
    File.open(@there, "rb") { |file| @sftp.put(file, @here) }
    assert_equal DATA, File.binread(@here)
    @sftp.put(StringIO.new("words"), @here)
    assert_equal "words", File.read(@here)
    reader, writer = IO.pipe
    thread = Thread.new { writer.write("a pipe's") and writer.close }
    @sftp.put(reader, @here)
    thread.join
    assert_equal "a pipe's", File.read(@here)
  end

  def test_what_came_before_an_error_is_given_to_the_object
    sftp = connect(ENV.fetch("SSH2_LIAR_PORT").to_i).sftp_init
    got = StringIO.new("".b)
    error = assert_raises(SSH2::SFTPFailureError) do
      sftp.get("/bad_block/x", got)
    end
    assert_equal [120_000] * 2, [error.done, got.string.bytesize]
    sink = Object.new
    sink.define_singleton_method(:write) { |data| raise KeyError, data.size }
    error = assert_raises(KeyError) { sftp.get("/bad_block/x", sink) }
    assert_equal "120000", error.message
    assert_equal 300_000, sftp.stat("/ok/x").filesize
  end

  def test_nothing_counts_behind_a_write_that_was_refused
    sftp = connect(ENV.fetch("SSH2_LIAR_PORT").to_i).sftp_init
    error = assert_raises(SSH2::SFTPFailureError) do
      sftp.put(StringIO.new(DATA[0, 300_000]), "/torn/x")
    end
    assert_equal 3 * 32_768, error.done
  end

  # What reads a channel of the same session.
  def test_from_a_command_of_the_same_session
    channel = run_command(@session, "head -c 300000 /dev/zero")
    assert_equal 300_000, @sftp.put(channel, @here)
    assert_equal 300_000, File.size(@here)
  end

  def test_a_close_under_a_transfer_ends_it
    begun = Queue.new
    thread = Thread.new do
      loop { @sftp.get(@there, @here) { begun << true } }
    rescue SSH2::Error => e
      e
    end
    begun.pop
    @sftp.close
    assert_kind_of SSH2::ClosedError, thread.value
    refute(names.any? { |name| name.include?(".part") })
  end

  def test_a_relative_name_is_where_the_process_was
    File.truncate(@there, 16 << 20)
    before = Dir.pwd
    Dir.chdir(@folder)
    Dir.mkdir("other")
    @sftp.get(@there, "here") { Dir.chdir("#{@folder}/other") }
    assert_equal %w[here other there], names
  ensure
    Dir.chdir(before)
  end

  def test_what_ends_a_thread_leaves_nothing
    File.truncate(@there, 256 << 20)
    begun = Queue.new
    thread = Thread.new { @sftp.get(@there, @here) { begun << true } }
    begun.pop
    thread.kill.join
    assert_equal ["there"], names
    assert_raises(Timeout::Error) do
      Timeout.timeout(0.2) { 999.times { @sftp.get(@there, @here) } }
    end
    refute(names.any? { |name| name.include?(".part") })
    assert_equal 256 << 20, @sftp.stat(@there).filesize
  end

  def test_a_transfer_is_resumed_where_its_connection_was_lost
    File.truncate(@there, 32 << 20)
    killed = false
    assert_raises(SSH2::Error) do
      @sftp.get(@there, @here, resume: true) do
        server("kill") unless killed
        killed = true
      end
    end
    assert_equal 2, names.size
    assert_match(/\Ahere\..*\.part\z/, names.first)
    sftp = connect.sftp_init
    assert_equal 32 << 20, sftp.get(@there, @here, resume: true)
    assert_equal %w[here there], names
    assert FileUtils.identical?(@there, @here)
  end

  def test_what_another_may_have_left_is_not_gone_on_with
    ["x", ""].each do |left|
      assert_raises(KeyError) do
        @sftp.get(@there, @here, resume: true) { raise KeyError }
      end
      part, = Dir.glob("#{@here}.*.part")
      File.write(part, left)
      File.link(part, "#{@folder}/kept")
      assert_equal DATA.bytesize, @sftp.get(@there, @here, resume: true)
      assert_equal DATA, File.binread(@here)
      assert_equal left, File.read("#{@folder}/kept")
      refute_equal left.empty?, File.exist?(part)
      File.unlink(@here, "#{@folder}/kept", *Dir.glob("#{@here}.*.part"))
    end
  end

  def test_long_names_wait_for_room
    tree = "#{@folder}/tree"
    40.times do |folder|
      FileUtils.mkdir_p("#{tree}/#{folder}")
      10.times { |name| File.write("#{tree}/#{folder}/#{name}", "z") }
    end
    sftp = connect(ENV.fetch("SSH2_LIAR_PORT").to_i).sftp_init
    assert_equal 400, sftp.put_tree(tree, "/made/#{'a' * 30_000}").files
  end

  # A folder that its owner may not write is there already, the second time.
  KEPT = <<~PROGRAM.freeze
    require "#{__dir__}/common"
    include Common
    sftp = connect.sftp_init
    2.times { print sftp.get_tree(*ARGV, preserve: true).files }
  PROGRAM

  # Root is to ask, too.
  NO_ROOT = Process.euid.zero? ? %w[setpriv --bounding-set=-all] : []

  def test_a_folder_that_its_owner_may_not_write_is_added_to
    skip "no setpriv" unless system(*NO_ROOT, "true")
    tree, copy = %w[tree copy].map { |name| "#{@folder}/#{name}" }
    FileUtils.mkdir_p("#{tree}/in")
    ["#{tree}/in", tree].each do |folder|
      File.write("#{folder}/file", "x")
      File.chmod(0o555, folder)
    end
    command = [*NO_ROOT, RbConfig.ruby, "-e", KEPT, tree, copy]
    assert_equal "22", IO.popen(command, &:read)
    folders = [copy, "#{copy}/in"]
    assert_equal([0o555] * 2, folders.map { |f| File.stat(f).mode & 0o777 })
  ensure
    File.chmod(0o755, *Dir.glob("#{@folder}/{tree,copy}{,/in}"))
  end

  def test_a_tree_tells_what_it_did
    moved = @sftp.get_tree(@folder, "#{@folder}2")
    assert_equal SSH2::SFTP::Moved.new(1, DATA.bytesize, []), moved
    list = @sftp.list_tree("#{@folder}2")
    assert_equal [["there", DATA.bytesize]],
                 (list.map { |name, attributes| [name, attributes.size] })
    there, not_there = @sftp.stat_many([@there, Pathname("#{@there}-")])
    assert_predicate there, :file?
    assert_kind_of Errno::ENOENT, not_there
  ensure
    FileUtils.remove_entry("#{@folder}2", true)
  end

  def test_what_was_read_ahead_comes_first
    channel = run_command(@session, "seq 3; echo no >&2")
    assert_equal "1\n", channel.gets
    assert_equal ["2\n3\n", "no\n"], channel.read_all
    channel = run_command(@session, "seq 3")
    channel.gets
    assert_raises(IOError) { channel.pump(StringIO.new("".b.freeze, "r")) }
    out = StringIO.new
    assert_equal 4, channel.pump(out)
    assert_equal "2\n3\n", out.string
  end

  def test_what_was_read_ahead_is_written_whole
    sink = Object.new
    text = +""
    sink.define_singleton_method(:write) do |bytes|
      text << bytes[0, 2]
      bytes[0, 2].bytesize
    end
    channel = run_command(@session, "seq 5")
    channel.gets
    assert_equal 8, channel.pump(sink)
    assert_equal "2\n3\n4\n5\n", text
    channel = run_command(@session, "seq 3")
    channel.gets
    File.open(@here, "wb") { |file| assert_equal 4, channel.pump(file.fileno) }
    assert_equal "2\n3\n", File.read(@here)
  end

  def test_what_was_read_ahead_is_not_written_twice
    text = +""
    sink = Object.new
    sink.define_singleton_method(:write) do |bytes|
      raise KeyError unless text.empty?

      text << bytes[0, 2]
      2
    end
    channel = run_command(@session, "echo rest")
    channel.ungetbyte("ahead ")
    assert_raises(KeyError) { channel.pump(sink) }
    assert_equal ["ah", "ead rest\n"], [text, channel.read]
  end

  # Nothing can be kept there; the block is left by the caller's, or returns.
  def send_to_a_full_disk
    @session.scp_send64("/dev/full", 0o644, 3, 0, 0) do |channel|
      channel.write("abc")
      yield
      return
    end
  end

  def test_a_block_that_is_left_tells_that_nothing_was_kept
    assert_raises(SSH2::Error) { send_to_a_full_disk { break } }
    raise IOError
  rescue IOError
    assert_raises(SSH2::Error) { send_to_a_full_disk { nil } }
    assert_raises(KeyError) { send_to_a_full_disk { raise KeyError } }
    Thread.new { send_to_a_full_disk { Thread.exit } }.join
  end

  def test_an_error_of_closing_hides_no_other
    broken = Object.new
    broken.define_singleton_method(:close) { raise SSH2::Timeout }
    assert_raises(SSH2::Timeout) { loop { SSH2.closing(broken) { break } } }
    assert_raises(KeyError) { SSH2.closing(broken) { raise KeyError } }
    assert_raises(Timeout::Error) do
      Timeout.timeout(0.05) do
        SSH2.closing(broken) { SSH2.closing(broken) { sleep } }
      end
    end
    Thread.new { SSH2.closing(broken) { Thread.exit } }.join
  end

  def test_objects_that_do_not_tell_how_much_they_wrote
    parts = []
    [nil, parts, true, :wait_writable].each do |said|
      sink = Object.new
      sink.define_singleton_method(:write) { |_| said }
      channel = run_command(@session, "cat #{@there}")
      [-> { @sftp.get(@there, sink) }, -> { channel.pump(sink) }].each do |way|
        error = assert_raises(TypeError, &way)
        assert_equal "write() returned #{said.class}, not Integer",
                     error.message
      end
    end
  end

  def test_what_is_no_descriptor_is_told_so_and_loses_nothing
    channel = @session.open_session
    channel.execute("echo abc")
    assert_equal "a", channel.getc
    error = assert_raises(SSH2::FileError) { channel.pump(99_999) }
    assert_equal Errno::EBADF::Errno, error.errno
    assert_equal "bc\n", channel.read
  end

  # Pathname#write would make the file anew for each piece.
  def test_a_path_is_nothing_to_pump_to
    channel = run_command(@session, "seq 3")
    error = assert_raises(TypeError) { channel.pump(Pathname(@here)) }
    assert_equal "pump: expected a descriptor or what has write(), " \
                 "not Pathname", error.message
    assert_equal ["1\n2\n3\n", ""], channel.read_all
    refute_path_exists @here
  end
end
