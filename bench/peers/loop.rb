# ssh2 for Ruby: plain loops, as its users write them. A buffer whose size is
# not given is what Python's `read` takes by default.
require "ssh2"

module Peer
  extend self

  DEFAULT = 2 * MIB

  def about
    SSH2.version
  end

  def log_in
    session = SSH2::Session.new
    session.connect(SERVER.host, SERVER.port, known_hosts: SERVER.known_hosts)
    session.userauth_publickey_fromfile(SERVER.user, SERVER.key)
    session
  end

  def log_out(session)
    session.disconnect
  end

  def sftp(session)
    session.sftp_init
  end

  def get(sftp, job)
    total = 0
    data = +""
    File.open(job.local, "wb") do |out|
      sftp.open(job.remote) do |file|
        while file.read(job.size || DEFAULT, data)
          total += out.write(data)
        end
      end
    end
    total
  end

  def put(sftp, job)
    total = 0
    data = +""
    File.open(job.local, "rb") do |source|
      sftp.open(job.remote, "w") do |file|
        while source.read(job.size || DEFAULT, data)
          total += file.write(data)
        end
      end
    end
    total
  end
end
