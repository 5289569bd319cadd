# Run one work by one of the Ruby programs, and print what it took; as
# python.py does, whose peers' rules hold here as well.
#
#     ruby.rb PEER about
#     ruby.rb PEER WORK COUNT REMOTE LOCAL
require "json"
require "etc"

MIB = 1 << 20
Server = Struct.new(:host, :port, :user, :key, :known_hosts)
SERVER = Server.new(ENV["SSH2_HOST"], ENV["SSH2_PORT"].to_i, ENV["SSH2_USER"],
                    ENV["SSH2_KEY"], ENV["SSH2_KNOWN_HOSTS"])
Job = Struct.new(:count, :remote, :local, :size)
SESSION = %w[exec stream scp].freeze
SFTP = %w[get put stat stats list tree_get tree_put].freeze
ALONE = %w[call].freeze

def function(work)
  work == "exec" ? "execute" : work
end

def works(peer)
  lacking = peer.respond_to?(:lacking) ? peer.lacking : []
  known = (SESSION + SFTP + ALONE).select { |w| peer.respond_to?(function(w)) }
  known - lacking + %w[connect sessions]
end

# What is in memory now, in KiB; 0 where there is no /proc.
def resident
  File.read("/proc/self/statm").split[1].to_i *
    (Etc.sysconf(Etc::SC_PAGESIZE) / 1024)
rescue SystemCallError
  0
end

def clock(which)
  Process.clock_gettime(which)
end

def measured
  base = resident
  wall = clock(Process::CLOCK_MONOTONIC)
  cpu = clock(Process::CLOCK_PROCESS_CPUTIME_ID)
  got = yield
  cpu = clock(Process::CLOCK_PROCESS_CPUTIME_ID) - cpu
  wall = clock(Process::CLOCK_MONOTONIC) - wall
  { wall: wall, cpu: cpu, base_kib: base, now_kib: resident, got: got }
end

def main(name, work, count = "0", remote = nil, local = nil)
  require_relative name
  peer = Peer
  return { version: peer.about, works: works(peer) } if work == "about"

  job = Job.new(count.to_i, remote, local, ENV["BENCH_BUFFER"]&.to_i)
  return peer.call(job) if work == "call"

  case work
  when "connect"
    return measured do
      job.count.times { peer.log_out(peer.log_in) }
      job.count
    end
  when "sessions"
    kept = []
    return measured { job.count.times { kept << peer.log_in } }
  end
  session = peer.log_in
  handle = SFTP.include?(work) ? peer.sftp(session) : session
  answer = measured { peer.public_send(function(work), handle, job) }
  peer.log_out(session)
  answer
end

puts JSON.generate(main(*ARGV))
$stdout.flush
exit!(true) if ARGV[1] == "sessions" # they are open still
