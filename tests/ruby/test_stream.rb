# Channels and SFTP files do what an IO does; what takes an IO takes them.
require_relative "common"
require "csv"
require "logger"
require "rubygems/package"
require "stringio"
require "tempfile"
require "zlib"

class TestStream < Minitest::Test
  include Common

  TEXT = "first\nsecönd\n\n\nthird\n\xff\n\nlast".freeze

  def setup
    @session = connect
    @sftp = @session.sftp_init
    @path = File.join(ENV.fetch("SSH2_TMP"), "stream-#{name}")
  end

  # What reads the bytes: a channel, its error output, a file, and IO's own.
  def each_source(bytes)
    File.binwrite(@path, bytes)
    run_command(@session, "cat #{@path}").tap { |channel| yield channel }.close
    run_command(@session, "cat #{@path} >&2")
      .tap { |channel| yield channel.stderr }.close
    @sftp.open(@path) { |file| yield file }
    File.open(@path) { |file| yield file }
  end

  # Every source gives what an IO gives.
  def assert_like_an_io(bytes = TEXT)
    *ours, io = [].tap do |all|
      each_source(bytes) { |source| all << yield(source) }
    end
    assert_equal 3, ours.size
    ours.each { |value| assert_equal io, value }
    encodings = [*ours, io].map { |value| Array(value).grep(String) }
    assert_equal 1, encodings.map { |all| all.map(&:encoding) }.uniq.size
  end

  def test_read
    assert_like_an_io(&:read)
    assert_like_an_io("", &:read)
    assert_like_an_io { |io| [3, 0, nil, nil, 1].map { |n| io.read(n) } }
    assert_like_an_io { |io| Array.new(4) { io.read(11) } }
    assert_like_an_io("x" * 300_000) { |io| Array.new(3) { io.read(200_000) } }
  end

  def test_what_is_refused_takes_nothing
    each_source("a;b") do |io|
      next if io.is_a?(File)

      assert_raises(TypeError) { io.read(nil, Object.new) }
      assert_raises(FrozenError) { io.read(nil, "".freeze) }
      assert_equal "a;b", io.read
    end
  end

  def test_a_line_is_chomped_by_bytes
    each_source("h\xe9llo\xc3\xa9x\xe9") do |io|
      next if io.is_a?(File)

      separator = "\xe9".dup.force_encoding("ISO-8859-1")
      assert_equal "h", io.gets(separator, chomp: true)
      assert_equal "llo\u00e9x", io.gets(separator, chomp: true)
    end
  end

  def test_a_frozen_object_reads_nothing
    channel = run_command(@session, "echo hello").freeze
    reads = [-> { channel.gets }, -> { channel.read }, -> { channel.eof? },
             -> { channel.read_ex }, -> { channel.read_all }]
    reads.each { |read| assert_raises(FrozenError, &read) }
    output = StringIO.new
    assert_raises(FrozenError) { channel.pump(output) }
    assert_empty output.string
    file = @sftp.open(KEY).freeze
    assert_raises(FrozenError) { file.gets }
    assert_equal 0, file.tell
  end

  def test_what_was_read_ahead_is_of_its_stream
    channel = run_command(@session, "echo out; echo err >&2")
    assert_equal "e", channel.stderr.getc
    assert_nil channel.read_ex(10, 7)
    assert_equal %W[rr\n out\n], [channel.stderr.read, channel.read]
  end

  def test_readpartial
    assert_like_an_io do |io|
      [io.readpartial(5), io.readpartial(0), io.readpartial(99).bytes[0],
       io.read && assert_raises(EOFError) { io.readpartial(1) }.class]
    end
  end

  def test_what_is_no_character_is_not_waited_for
    %w[\\377 \\303x \\343\\377].each do |bytes|
      command = "printf '#{bytes}'; sleep 60"
      channel = run_command(@session, command)
      IO.popen(["sh", "-c", "exec 2>&-; #{command.sub("sleep", "exec sleep")}"]) do |io|
        assert_equal io.getc, channel.getc
        Process.kill(:KILL, io.pid)
      end
    end
  end

  def test_lines_of_nothing_are_refused
    channel = run_command(@session, "ls /")
    assert_raises(ArgumentError) { channel.each_line(0) { flunk } }
    assert_raises(ArgumentError) { channel.readlines(0) }
  end

  def test_reading_into_a_string
    assert_like_an_io do |io|
      buffer = +"what was there"
      same = [io.read(5, buffer).equal?(buffer), buffer.dup]
      same << io.readpartial(1, buffer).equal?(buffer) << buffer.dup
      same << io.read(nil, buffer).equal?(buffer) << buffer.dup
      same << io.read(1, buffer) << buffer
    end
  end

  def test_reading_into_what_is_no_buffer
    channel = run_command(@session, "echo whole")
    assert_raises(FrozenError) { channel.read(9, "frozen".freeze) }
    assert_raises(TypeError) { channel.read(9, 5) }
    assert_raises(ArgumentError) { channel.read(-1) }
    assert_raises(TypeError) { channel.readpartial("9") }
    assert_equal "whole\n", channel.read
  end

  # Another thread cannot shrink the string that a read fills.
  def test_a_buffer_is_locked_while_it_is_filled
    channel = run_command(@session, "read x; echo whole")
    buffer = +""
    reader = Thread.new { channel.read(6, buffer) }
    sleep 0.01 until reader.stop?
    assert_raises(RuntimeError) { buffer << "x" }
    channel.puts
    assert_equal "whole\n", reader.value
    buffer << "x"
  end

  def test_a_buffer_is_free_after_a_failure
    channel = run_command(@session, "echo part; sleep 60")
    buffer = +""
    @session.timeout = 300
    assert_raises(SSH2::Timeout) { channel.read(99, buffer) }
    buffer.replace("free")
    @session.timeout = 0
    assert_equal "part\n", channel.readpartial(99)
  end

  def test_lines
    assert_like_an_io { |io| Array.new(9) { io.gets } }
    assert_like_an_io { |io| io.each_line.to_a }
    assert_like_an_io(&:readlines)
    assert_like_an_io { |io| io.readlines(chomp: true) }
    assert_like_an_io { |io| io.each_line("d").to_a }
    assert_like_an_io { |io| io.each_line(nil).to_a }
    assert_like_an_io { |io| io.each_line("").to_a }
    assert_like_an_io { |io| io.each_line(4).to_a }
    assert_like_an_io { |io| io.each_line("e", 5, chomp: true).to_a }
    assert_like_an_io { |io| [io.gets(0), io.gets(2), io.read(4), io.gets] }
    assert_like_an_io { |io| [io.readline, io.read, io.gets] }
    assert_like_an_io("") { |io| [io.gets, io.gets(""), io.gets(nil)] }
    assert_like_an_io("\n\n\na\n\n\n\nb\n") { |io| io.each_line("").to_a }
    long = "#{'y' * 200_000}\n" * 3
    assert_like_an_io(long) { |io| io.readlines.map(&:size) }
  end

  def test_bytes_and_characters
    assert_like_an_io { |io| io.each_byte.to_a }
    assert_like_an_io("grün €5 😀") { |io| io.each_char.to_a }
    assert_like_an_io("grün") do |io|
      [io.readbyte, io.readchar, io.getc, io.getbyte]
    end
    assert_like_an_io("") { |io| [io.getbyte, io.getc, io.eof?] }
    assert_like_an_io("") { |io| assert_raises(EOFError) { io.readchar }.class }
    assert_like_an_io { |io| [io.ungetbyte("ab"), io.ungetc("ü"), io.gets] }
    assert_like_an_io { |io| [io.gets, io.ungetbyte(65), io.read(3), io.gets] }
  end

  def test_the_end
    assert_like_an_io { |io| [io.eof?, io.read && io.eof?] }
    assert_like_an_io("a\nb\n") { |io| [io.gets, io.eof?, io.gets, io.eof?] }
    assert_like_an_io("a") do |io|
      [io.readline, assert_raises(EOFError) { io.readline }.class]
    end
  end

  def test_encodings
    assert_like_an_io { |io| [io.external_encoding.name, io.binmode.gets] }
    assert_like_an_io { |io| io.set_encoding("ISO-8859-1") && io.readlines }
    @sftp.write(@path, TEXT)
    assert_equal Encoding::BINARY, @sftp.open(@path, "rb", &:gets).encoding
    assert_equal [TEXT, TEXT.b], [@sftp.read(@path), @sftp.binread(@path)]
  end

  # What the block writes, by a file and by a channel.
  def assert_written(expected)
    @sftp.open(@path, "w") { |file| yield file }
    assert_equal expected.b, File.binread(@path)
    channel = run_command(@session, "cat")
    yield channel
    channel.send_eof
    assert_equal expected.b, channel.binmode.read
  end

  def test_writing
    assert_written("a5\nb\n\n6\nc\n07ée") do |io|
      assert_equal 1, io.write("a")
      assert_same io, io << 5 << "\n"
      io.puts "b\n", [nil, [6]], "c"
      io.printf("%02d", 7)
      io.print("é", :e)
    end
    assert_written("abA\n") do |io|
      assert_equal 2, io.write("a", "b")
      io.putc("A")
      io.putc(10)
      assert_same io, io.flush
      io.sync = true
      assert io.sync
    end
    assert_raises(TypeError) { run_command(@session, "cat").write(5) }
  end

  def test_what_is_written_is_its_bytes
    odd = ["gr\u00fcn".encode("ISO-8859-1"), "x".encode("UTF-16LE")]
    assert_written(odd.map(&:b).join * 2) do |io|
      odd.each { |text| assert_equal text.bytesize, io.write(text) }
      odd.each { |text| io << text }
    end
    channel = run_command(@session, "cat")
    assert_equal 4, channel.write_ex(0, odd[0])
    channel.send_eof
    assert_equal odd[0].b, channel.binmode.read
  end

  # Every kind of source to every kind of target.
  def test_copy_stream
    bytes = Random.new(3).bytes(400_000)
    from = [-> { File.open(@path, "rb") }, -> { StringIO.new(bytes) },
            -> { @sftp.open(@path) },
            -> { run_command(@session, "cat #{@path}") }]
    to = [-> { Tempfile.new }, -> { StringIO.new("".b) },
          -> { @sftp.open("#{@path}.copy", "w+") },
          -> { run_command(@session, "head -c 400000") }]
    File.binwrite(@path, bytes)
    from.product(to) do |source, target|
      source = source.call
      target = target.call
      copied = nil
      copier = Thread.new { copied = IO.copy_stream(source, target) }
      # The command stops reading where nobody reads what it says.
      read = target.read(400_000) if target.is_a?(SSH2::Channel)
      copier.join
      assert_equal 400_000, copied
      target.rewind unless read
      assert_equal bytes, (read || target.read).b, [source, target].inspect
    end
    assert_equal 7, IO.copy_stream(@sftp.open(@path), StringIO.new, 7)
  end

  def test_what_others_write
    @sftp.open(@path, "w") do |file|
      CSV.new(file) << [1, "a,b"]
      Logger.new(file).info("logged")
      Marshal.dump({ key: [1, 2] }, file)
    end
    @sftp.open(@path) do |file|
      assert_equal ["1", "a,b"], CSV.parse_line(file.gets)
      assert_match(/INFO.*logged/, file.gets)
      assert_equal({ key: [1, 2] }, Marshal.load(file))
      assert file.eof?
    end
    @sftp.open(@path, "w") do |file|
      zip = Zlib::GzipWriter.new(file)
      Gem::Package::TarWriter.new(zip) do |tar|
        tar.add_file_simple("a", 0o644, 50_000) { |io| io.write("x" * 50_000) }
      end
      zip.finish
    end
    assert_equal "a\n", `tar tzf #{@path}`
  end

  def test_what_others_read
    dir = "#{@path}.d"
    Dir.mkdir(dir)
    File.binwrite("#{dir}/a", "x" * 100_001)
    system("tar", "czf", @path, "-C", dir, "a") || flunk
    [@sftp.open(@path), run_command(@session, "cat #{@path}")].each do |io|
      zip = Zlib::GzipReader.new(io)
      tar = Gem::Package::TarReader.new(zip)
      entries = tar.map { |entry| [entry.full_name, entry.read] }
      assert_equal [["a", "x" * 100_001]], entries
    end
    File.write(@path, "name,size\na,1\nb,2\n")
    [@sftp.open(@path), run_command(@session, "cat #{@path}")].each do |io|
      rows = CSV.new(io, headers: true).map(&:to_h)
      assert_equal [{ "name" => "a", "size" => "1" },
                    { "name" => "b", "size" => "2" }], rows
    end
  end

  def test_a_program_may_print_to_a_channel
    channel = run_command(@session, "cat")
    begin
      $stdout = channel
      puts "put", 5
      p :shown
      $stdout.flush
    ensure
      $stdout = STDOUT
    end
    channel.send_eof
    assert_equal "put\n5\n:shown\n", channel.read
  end

  def test_what_is_printed_is_what_a_file_would_get
    words = ["\xff".b, "grün", ["x".encode("UTF-16LE"), [nil, 5]], [1, [2]]]
    channel = run_command(@session, "cat")
    IO.pipe do |reader, writer|
      [writer.binmode, channel].each do |io|
        io.puts(*words)
        io.print(*words)
        io.puts
        io.puts []
      end
      writer.close
      channel.send_eof
      assert_equal reader.read.b, channel.read.b
    end
  end

  def test_where_a_read_would_block
    channel = run_command(@session, "echo one; read x; echo two")
    assert_equal "one\n", channel.gets
    @session.blocking = false
    assert_equal :wait_readable, channel.gets
    assert_equal :wait_readable, channel.read(3)
    assert_equal :wait_readable, channel.read
    assert_equal :wait_readable, channel.getc
    assert_equal :wait_readable, channel.readpartial(3)
    refute channel.eof?
    @session.blocking = true
    channel.puts
    @session.blocking = false
    # A part of what was asked for is given; of a line it is not.
    sleep 0.01 while (part = channel.read(2)) == :wait_readable
    assert_equal "tw", part
    sleep 0.01 while (rest = channel.gets) == :wait_readable
    assert_equal "o\n", rest
  end

  def test_where_connections_would_have_to_be_waited_for
    listener = @session.forward_listen(0)
    @session.blocking = false
    seen = []
    ended = listener.each { |got| break :never if (seen << got).size > 9 }
    assert_equal [:wait_readable, []], [ended, seen]
    assert_empty listener.first(2)
  end

  def test_a_session_that_is_over_is_not_waited_for
    channel = run_command(@session, "sleep 60")
    @session.blocking = false
    assert_equal :wait_readable, channel.read(1)
    @session.close
    assert @session.wait(9)
    assert_raises(SSH2::ClosedError) { channel.read(1) }
  end

  def test_positions_know_what_was_read_ahead
    @sftp.write(@path, "one\ntwo\nthree\n")
    @sftp.open(@path, "r+") do |file|
      assert_equal ["one\n", 4, false], [file.gets, file.pos, file.eof?]
      file.write("TWO")
      assert_equal ["\n", 8], [file.gets, file.tell]
      file.seek(-6, IO::SEEK_END)
      assert_equal "three\n", file.read
      file.rewind
      assert_equal %W[one\n TWO\n three\n], file.readlines
      assert_equal 14, file.size
    end
  end

  def test_what_a_channel_tells_of_itself
    channel = run_command(@session, "cat; exit 3")
    assert_equal [2 << 20] * 2, [channel.window_read, channel.window_write]
    channel.write("x" * 1000)
    assert_equal (2 << 20) - 1000, channel.window_write
    channel.send_eof
    assert_equal 1000, channel.read.size
    channel.close
    assert_equal 3, channel.exit_status
    assert_nil channel.exit_signal
    assert channel.exit_status?
  rescue SSH2::FunctionMissingError => e
    assert_includes e.message, "libssh2_channel_has_exit_status"
  end
end
