# Signals are honoured while a call waits, and no call loses a byte by them.
require_relative "common"

class TestInterrupt < Minitest::Test
  include Common

  BOUND = 10 # seconds; the aim is 0.2, and machines are slow at times

  def setup
    @old = trap("INT", "DEFAULT")
  end

  def teardown
    trap("INT", @old || "DEFAULT")
  end

  # How long after SIGINT the block gives up.
  def interrupted
    sent = nil
    thread = Thread.new do
      sleep 0.3
      sent = now
      Process.kill("INT", Process.pid)
    end
    assert_raises(Interrupt) { yield }
    took = now - sent
    thread.join
    assert_operator took, :<, BOUND
  end

  def test_a_channels_read_can_be_interrupted
    session = connect
    channel = run_command(session, "sleep 60")
    interrupted { channel.read(9) }
    assert_equal "fine\n", read_all(run_command(session, "echo fine"))
  end

  def test_a_write_can_be_interrupted
    channel = run_command(connect, "sleep 60")
    interrupted { channel.write("x" * 8_000_000) }
  end

  def test_an_sftp_read_can_be_interrupted
    handle = connect.sftp_init.open(KEY, SSH2::LIBSSH2_FXF_READ, 0)
    server("stop")
    interrupted { handle.read(9999) }
    server("cont")
    assert_equal File.binread(KEY), read_all(handle)
  ensure
    server("cont")
  end

  def test_connecting_can_be_interrupted
    session = SSH2::Session.new
    interrupted do
      session.connect(HOST, ENV.fetch("SSH2_SILENT_PORT").to_i)
    end
  end

  def test_a_handshake_can_be_interrupted
    interrupted { shake(ENV.fetch("SSH2_SILENT_PORT").to_i) }
  end

  def test_listing_an_agents_keys_can_be_interrupted
    agent = SSH2::Session.new.agent_init
    agent.set_identity_path("#{ENV.fetch('SSH2_DIR')}/agent_silent")
    agent.connect
    interrupted { agent.list_identities }
  end

  def test_an_agents_signing_can_be_interrupted
    agent = SSH2::Session.new.agent_init
    agent.connect
    key = agent.get_identities[1]
    agent.set_identity_path("#{ENV.fetch('SSH2_DIR')}/agent_silent")
    agent.connect
    interrupted { agent.sign(key, "data") }
    agent.set_identity_path(ENV.fetch("SSH_AUTH_SOCK"))
    agent.connect
    assert_equal 64, agent.sign(key, "data").bytesize
  end

  def test_what_calls_back_can_be_interrupted
    blob = File.read("#{KEY}.pub").split[1].unpack1("m")
    user = ENV.fetch("SSH2_USER")
    session = shake
    server("stop")
    interrupted { session.userauth_publickey(user, blob) { sleep } }
    server("cont")
    interrupted { session.userauth_publickey(user, blob) { sleep } }
    session.userauth_publickey_fromfile(user, KEY)
  ensure
    server("cont")
  end

  def test_a_handler_that_does_not_raise_disturbs_nothing
    count = 0
    old = trap("USR1") { count += 1 }
    channel = run_command(connect, "for i in 1 2 3 4 5 6 7 8; do " \
                                   "head -c 100000 /dev/zero; sleep 0.1; done")
    thread = Thread.new do
      loop { sleep 0.005 and Process.kill("USR1", Process.pid) }
    end
    assert_equal 800_000, read_all(channel).size
    assert_operator count, :>, 20
  ensure
    thread&.kill
    thread&.join
    trap("USR1", old || "DEFAULT")
  end
end
