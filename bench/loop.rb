# The loops of loop.c in Ruby, and what a trivial call costs.
#
#     loop.rb get|put|exec|call COUNT PATH [CIPHER]
require "json"
require "ssh2"

MIB = 1 << 20

def log_in(cipher)
  session = SSH2::Session.new
  if cipher
    session.method_pref(SSH2::LIBSSH2_METHOD_CRYPT_CS, cipher)
    session.method_pref(SSH2::LIBSSH2_METHOD_CRYPT_SC, cipher)
  end
  session.connect(ENV.fetch("SSH2_HOST"), ENV.fetch("SSH2_PORT").to_i,
                  known_hosts: ENV.fetch("SSH2_KNOWN_HOSTS"))
  session.userauth_publickey_fromfile(ENV.fetch("SSH2_USER"),
                                      ENV.fetch("SSH2_KEY"))
  session
end

def wall
  Process.clock_gettime(Process::CLOCK_MONOTONIC)
end

def cpu
  Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID)
end

def measured
  from = [wall, cpu]
  yield
  used = cpu - from[1]
  { wall: wall - from[0], cpu: used }
end

def get(file, count)
  total = 0
  data = +""
  total += data.bytesize while file.read(MIB, data)
  file.close
  abort "#{total} bytes came, not #{count} MiB" if total != count * MIB
end

def put(file, count)
  data = ("\0" * MIB).b
  count.times { file.write(data) }
  file.close
end

def execute(session, count)
  count.times do
    channel = session.open_session
    channel.execute("true")
    nil while channel.read(MIB)
    channel.close
    channel.wait_closed
    abort "true failed" unless channel.get_exit_status.zero?
  end
end

# What a call costs, the loop around it included, in nanoseconds.
def nanoseconds(count)
  begun = cpu
  yield count
  (cpu - begun) / count * 1e9
end

def calls(count)
  session = SSH2::Session.new
  text = "text"
  ours = []
  builtin = []
  10.times do
    ours << nanoseconds(count) do |n|
      i = 0
      while i < n
        session.get_timeout
        i += 1
      end
    end
    builtin << nanoseconds(count) do |n|
      i = 0
      while i < n
        text.ascii_only?
        i += 1
      end
    end
  end
  { ours: ours.min, builtin: builtin.min }
end

def main(work, count, path, cipher = nil)
  count = count.to_i
  return calls(count) if work == "call"

  session = log_in(cipher)
  return measured { execute(session, count) } if work == "exec"

  sftp = session.sftp_init
  if work == "get"
    file = sftp.open(path)
    measured { get(file, count) }
  else
    file = sftp.open(path, "w")
    measured { put(file, count) }
  end
end

puts JSON.generate(main(*ARGV))
