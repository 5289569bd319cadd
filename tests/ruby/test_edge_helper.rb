# What the tests of Ruby's edge share: a session beside the fixture's sshd.
require "minitest/autorun"
require "open3"
require "rbconfig"
require "socket"
require "tmpdir"
require "ssh2"

module Edge
  HOST = ENV.fetch("SSH2_HOST")
  PORT = Integer(ENV.fetch("SSH2_PORT"))
  LIB = File.dirname($LOADED_FEATURES.grep(%r{/ssh2\.rb\z}).first)

  module_function

  def connect(session = SSH2::Session.new)
    session.connect(HOST, PORT, known_hosts: ENV.fetch("SSH2_KNOWN_HOSTS"))
    session.userauth_publickey_fromfile(
      ENV.fetch("SSH2_USER"), ENV.fetch("SSH2_KEY")
    )
    session
  end

  def command(session, text)
    session.open_session.tap { |channel| channel.execute(text) }
  end

  def seconds
    start = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    yield
    Process.clock_gettime(Process::CLOCK_MONOTONIC) - start
  end

  # Run a program that has these methods: its output, errors and status.
  def program(text)
    start = "require 'ssh2'; require 'socket'\n#{PROLOGUE}"
    Open3.capture3(RbConfig.ruby, "-w", "-I", LIB, "-e", start + text)
  end

  PROLOGUE = <<~RUBY.freeze
    def connect
      session = SSH2::Session.new
      session.connect(ENV["SSH2_HOST"], ENV["SSH2_PORT"].to_i,
                      known_hosts: ENV["SSH2_KNOWN_HOSTS"])
      session.userauth_publickey_fromfile(ENV["SSH2_USER"], ENV["SSH2_KEY"])
      session
    end

    def command(session, text)
      session.open_session.tap { |channel| channel.execute(text) }
    end
  RUBY
end
