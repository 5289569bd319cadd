# libssh2 for Ruby: sessions, channels and SFTP.
require "ssh2/binding"
require_relative "ssh2/error"
require_relative "ssh2/missing"
require_relative "ssh2/records"
require_relative "ssh2/stream"
require_relative "ssh2/names"
require_relative "ssh2/ends"
require_relative "ssh2/pump"
require_relative "ssh2/session"
require_relative "ssh2/channel"
require_relative "ssh2/listener"
require_relative "ssh2/sftp"
require_relative "ssh2/sftp_handle"
require_relative "ssh2/known_host"
require_relative "ssh2/agent"
require_relative "ssh2/publickey"

module SSH2
  # How libssh2 was built: "version", "revision", "source", "fixes" and others.
  def self.build_options
    build_pairs.to_h
  end
  private_class_method :build_pairs
end
