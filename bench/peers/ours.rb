# ssh2 for Ruby: its own calls, and plain ones where there are no others.
require_relative "loop"

module Peer
  CALLS = {
    "get" => [SSH2::SFTP, :get], "put" => [SSH2::SFTP, :put],
    "tree_get" => [SSH2::SFTP, :get_tree],
    "tree_put" => [SSH2::SFTP, :put_tree],
    "stats" => [SSH2::SFTP, :stat_many],
    "stream" => [SSH2::Channel, :pump]
  }.freeze

  # The works whose calls this build has not.
  def lacking
    CALLS.reject { |_, (type, call)| type.method_defined?(call) }.keys
  end

  remove_method :get, :put

  def get(sftp, job)
    sftp.get(job.remote, job.local)
  end

  def put(sftp, job)
    sftp.put(job.local, job.remote)
  end

  def tree_get(sftp, job)
    sftp.get_tree(job.remote, job.local)
    nil
  end

  def tree_put(sftp, job)
    sftp.put_tree(job.local, job.remote)
    nil
  end

  def stat(sftp, job)
    job.count.times { |i| sftp.stat(format("%s/e%05d", job.remote, i)) }
  end

  def stats(sftp, job)
    paths = Array.new(job.count) { |i| format("%s/e%05d", job.remote, i) }
    sftp.stat_many(paths).count { |answer| !answer.is_a?(Exception) }
  end

  def list(sftp, job)
    sftp.each(job.remote).count
  end

  def execute(session, job)
    job.count.times.count do
      channel = session.open_session
      channel.execute("true")
      nil while channel.read(MIB)
      channel.close
      channel.wait_closed
      channel.get_exit_status.zero?
    end
  end

  def stream(session, job)
    channel = session.open_session
    channel.execute("head -c #{job.count}M /dev/zero")
    count = channel.pump
    channel.close
    count
  end

  def scp(session, job)
    channel, info = session.scp_recv2(job.remote)
    total = 0
    data = +""
    File.open(job.local, "wb") do |out|
      while total < info.st_size
        size = [MIB, info.st_size - total].min
        channel.read(size, data) or break
        total += out.write(data)
      end
    end
    channel.close
    total
  end

  # What a call costs, the loop around it included, in nanoseconds.
  def nanoseconds(count)
    begun = clock(Process::CLOCK_PROCESS_CPUTIME_ID)
    yield count
    (clock(Process::CLOCK_PROCESS_CPUTIME_ID) - begun) / count * 1e9
  end

  def call(job)
    session = SSH2::Session.new
    text = "text"
    ours = []
    builtin = []
    10.times do
      ours << nanoseconds(job.count) do |n|
        i = 0
        while i < n
          session.get_timeout
          i += 1
        end
      end
      builtin << nanoseconds(job.count) do |n|
        i = 0
        while i < n
          text.ascii_only?
          i += 1
        end
      end
    end
    { call_ns: ours.min, builtin_ns: builtin.min,
      more_ns: ours.min - builtin.min }
  end
end
