# net-ssh, net-sftp and net-scp.
require "net/ssh"
require "net/sftp"
require "net/scp"

module Peer
  extend self

  def about
    others = %w[net-sftp net-scp].map do |name|
      "#{name} #{Gem::Specification.find_by_name(name).version}"
    end
    [Net::SSH::Version::STRING, *others].join(", ")
  end

  def log_in
    Net::SSH.start(SERVER.host, SERVER.user, port: SERVER.port,
                                             keys: [SERVER.key],
                                             keys_only: true, config: false,
                                             use_agent: false,
                                             non_interactive: true,
                                             global_known_hosts_file: [],
                                             user_known_hosts_file:
                                               SERVER.known_hosts,
                                             verify_host_key: :always)
  end

  def log_out(session)
    session.close
  end

  def sftp(session)
    session.sftp.connect!
  end

  def get(sftp, job)
    sftp.download!(job.remote, job.local)
    nil
  end

  def put(sftp, job)
    sftp.upload!(job.local, job.remote)
    nil
  end

  def tree_get(sftp, job)
    sftp.download!(job.remote, job.local, recursive: true)
    nil
  end

  def tree_put(sftp, job)
    sftp.upload!(job.local, job.remote, mkdir: true)
    nil
  end

  def list(sftp, job)
    sftp.dir.entries(job.remote).size
  end

  def stat(sftp, job)
    job.count.times { |i| sftp.stat!(format("%s/e%05d", job.remote, i)) }
  end

  def execute(session, job)
    job.count.times.count { session.exec!("true").exitstatus.zero? }
  end

  def stream(session, job)
    total = 0
    session.exec!("head -c #{job.count}M /dev/zero") do |_, _, data|
      total += data.bytesize
    end
    total
  end

  def scp(session, job)
    session.scp.download!(job.remote, job.local)
    nil
  end
end
