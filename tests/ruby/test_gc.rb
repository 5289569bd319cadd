# Objects go in any order, at any time, without a packet and without a wait.
require_relative "common"
require "open3"

class TestCollection < Minitest::Test
  include Common

  # One of each class, all alive and in use.
  def family
    session = connect
    sftp = session.sftp_init
    hosts = session.knownhost_init
    hosts.readfile(ENV.fetch("SSH2_KNOWN_HOSTS"))
    agent = session.agent_init
    agent.connect
    agent.list_identities
    [session, run_command(session, "sleep 60"), sftp,
     sftp.open(KEY, SSH2::LIBSSH2_FXF_READ, 0), sftp.opendir("."),
     sftp.get_channel, sftp.stat("."), hosts, hosts.get, agent,
     agent.get_identities]
  end

  def drop(objects)
    until objects.empty?
      objects.pop
      GC.start
    end
  end

  def test_objects_may_be_dropped_in_any_order
    order = Random.new(7)
    20.times { drop(family.shuffle(random: order)) }
  end

  def test_objects_may_be_dropped_after_disconnect
    [family, family.reverse].each do |objects|
      objects.grep(SSH2::Session).first.disconnect
      drop(objects)
    end
  end

  def test_objects_may_be_dropped_after_their_server_is_gone
    objects = family
    server("kill")
    drop(objects.shuffle(random: Random.new(8)))
  end

  def test_all_of_it_may_be_in_one_cycle
    10.times do
      objects = family
      objects << objects
      objects.first.instance_variable_set(:@me, objects)
    end
    GC.start
  end

  # All is collected at each chance; 1: what is new, which takes less time.
  def stressed(how = 1)
    GC.stress = how
    yield
  ensure
    GC.stress = false
  end

  def test_objects_may_be_made_and_used_while_all_is_collected
    session = connect
    stressed(true) do
      channel = run_command(session, "printf stress; exit 3")
      assert_equal "stress", read_all(channel)
      channel.close
      assert_equal 3, channel.get_exit_status
      hosts = session.knownhost_init
      hosts.readfile(ENV.fetch("SSH2_KNOWN_HOSTS"))
      refute_nil hosts.get.name
      sftp = session.sftp_init
      assert_raises(SSH2::SFTPNoSuchFileError) { sftp.stat("/none/at/all") }
    end
  end

  def test_files_may_be_read_while_what_is_new_is_collected
    session = connect
    sftp = session.sftp_init
    stressed do
      file = sftp.open(KEY)
      assert_equal File.size(KEY), file.fstat.filesize
      assert_equal File.binread(KEY), file.read.b
      assert_includes sftp.entries(File.dirname(KEY)).map(&:name), "rsa"
      channel, info = session.scp_recv2(KEY)
      assert_equal [info.st_size, File.binread(KEY)],
                   [File.size(KEY), read_all(channel)]
    end
  end

  def test_callbacks_may_run_while_all_is_collected
    port = ENV.fetch("SSH2_ASYNCSSH_PORT") { skip "no second server" }
    session = shake(port.to_i)
    asked = []
    stressed do
      assert_raises(KeyError) do
        session.userauth_keyboardinteractive_callback("kate") do
          raise KeyError, "from the callback"
        end
      end
      [nil, 5, [nil, nil], [], ["few"]].each do |answers|
        assert_raises(TypeError, ArgumentError) do
          session.userauth_keyboardinteractive_callback("kate") { answers }
        end
      end
      session.userauth_keyboardinteractive_callback("kate") do |*_, prompts|
        asked << prompts
        [["blue sky", "grün"], ["42"], []][asked.size - 1]
      end
    end
    assert session.authenticated?
    assert_equal ["Password: ", "Colour? "], asked.first
  end

  def test_an_agent_may_be_asked_while_all_is_collected
    session = shake
    stressed do
      keys = session.agent_init.tap(&:connect).get_identities
      session.agent_auth(ENV.fetch("SSH2_USER"))
      assert_equal 4, keys.size
      assert_equal [], session.publickey_init.list_fetch
      session.forward_listen(0).close
    end
  end

  def test_objects_may_be_moved
    skip "not here" unless GC.respond_to?(:compact)
    objects = family
    GC.compact
    assert_equal "sleep".size, 5
    assert objects[2].stat(".")
    drop(objects)
  rescue NotImplementedError
    skip "not here"
  end

  def test_the_interpreter_may_exit_with_all_alive
    program = <<~RUBY
      require "test_gc"
      maker = TestCollection.new("family")
      $objects = maker.family
      Thread.new { $objects[1].read(9) }
      sleep 0.1
      puts "alive"
    RUBY
    3.times do
      out, err, status = Open3.capture3(
        RbConfig.ruby, "-I#{__dir__}", "-e", program
      )
      assert_equal ["alive\n", 0], [out, status.exitstatus], err
    end
  end

  def test_dropping_a_channel_takes_no_time_and_sends_nothing
    relay = Relay.new
    session = connect(relay.port)
    9.times { run_command(session, "sleep 60") }
    sleep 0.2
    before = relay.received
    GC.start
    sleep 0.2
    assert_equal before, relay.received
  end

  def test_a_dropped_channel_is_closed_by_later_calls
    session = connect
    25.times do # the server allows ten at a time
      Thread.new { run_command(session, "cat") && nil }.join
      GC.start
      session.keepalive_send
    end
  end

  def test_sessions_leave_no_memory_behind
    sanitized = !ENV["SSH2_SANITIZE"].to_s.empty?
    skip "sanitizers keep freed memory" if sanitized
    some
    before = resident
    some
    assert_operator resident - before, :<, 8 << 20
  end

  def some
    4.times do # a part at a time: else Ruby's own pace is measured
      500.times { SSH2::Session.new.knownhost_init }
      GC.start
    end
  end

  def resident
    File.read("/proc/self/statm").split[1].to_i * 4096
  end
end
