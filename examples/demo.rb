# Run a command and move a tree of files, there and back.
#
#     tests/sshd/fixture.py -- ruby examples/demo.rb
#
# starts a server and tells where it is by SSH2_* in the environment.
require "digest"
require "fileutils"
require "find"
require "ssh2"

HOST = ENV.fetch("SSH2_HOST")
PORT = ENV.fetch("SSH2_PORT").to_i
TREE = File.expand_path("..", __dir__)
REMOTE = File.join(ENV.fetch("SSH2_TMP"), "there-ruby")
BACK = File.join(ENV.fetch("SSH2_TMP"), "back-ruby")
CHUNK = 1 << 20

ROWS = []

def now
  Process.clock_gettime(Process::CLOCK_MONOTONIC)
end

# Do what the block says; its value, if a number, is the size in bytes.
def step(what)
  begun = now
  size = yield
  ROWS << [what, size.is_a?(Integer) ? size.to_s : "",
           format("%.3f", now - begun)]
  size
end

def progress(word, done, total)
  return unless $stdout.tty?

  printf("  %-8s [%-30s] %3d %%%s", word, "#" * (30 * done / total),
         100 * done / total, done == total ? "\n" : "\r")
end

# The files below a folder, but those that are built or git's.
def files(top)
  found = []
  Find.find(top) do |path|
    Find.prune if [".git", "build", "__pycache__"].include?(File.basename(path))
    found << path.b.delete_prefix("#{top.b}/") if File.ftype(path) == "file"
  end
  found.sort
end

def checksums(top)
  files(top).to_h { |name| [name, Digest::SHA256.file("#{top}/#{name}")] }
end

def refuse_a_wrong_key
  SSH2::Session.open(HOST, PORT,
                     known_hosts: ENV.fetch("SSH2_KNOWN_HOSTS_WRONG"))
  abort "a wrong host key was accepted"
rescue SSH2::KnownHostCheckMisMatchError => e
  puts "  a wrong host key is refused: #{e.message}"
end

def run(session, command)
  session.open_session do |channel|
    channel.execute(command)
    out = channel.read
    err = channel.stderr.read
    channel.close
    [out, err, channel.exit_status]
  end
end

def upload(sftp, names)
  total = names.sum { |name| File.size("#{TREE}/#{name}") }
  done = 0
  made = {}
  names.each do |name|
    folders = "#{REMOTE}/#{name}".delete_prefix("#{File.dirname(REMOTE)}/")
    folders.split("/")[0..-2].inject(File.dirname(REMOTE)) do |above, folder|
      path = "#{above}/#{folder}"
      made[path] ||= sftp.mkdir(path, 0o755) || true
      path
    end
    File.open("#{TREE}/#{name}", "rb") do |local|
      sftp.open("#{REMOTE}/#{name}", "w") do |remote|
        while (data = local.read(CHUNK))
          done += remote.write(data)
          progress("upload", done, total)
        end
      end
    end
  end
  done
end

def download(sftp, names, total)
  done = 0
  names.each do |name|
    FileUtils.mkdir_p(File.dirname("#{BACK}/#{name}"))
    File.open("#{BACK}/#{name}", "wb") do |local|
      sftp.open("#{REMOTE}/#{name}") do |remote|
        while (data = remote.read(CHUNK))
          done += local.write(data)
          progress("download", done, total)
        end
      end
    end
  end
  done
end

puts "Ruby #{RUBY_VERSION}, ssh2 #{SSH2::VERSION}"
refuse_a_wrong_key

session = SSH2::Session.new
step("connect, host key verified") do
  session.connect(HOST, PORT, known_hosts: ENV.fetch("SSH2_KNOWN_HOSTS"))
end
step("authenticate, ed25519") do
  session.userauth_publickey_fromfile(ENV.fetch("SSH2_USER"),
                                      ENV.fetch("SSH2_KEY"))
end
step("a command: two streams, exit 3") do
  result = run(session, "echo out; echo err >&2; exit 3")
  abort "the command gave #{result}" if result != ["out\n", "err\n", 3]
end

sums = checksums(TREE)
session.sftp_init do |sftp|
  size = step("upload #{sums.size} files") { upload(sftp, sums.keys) }
  step("download #{sums.size} files") { download(sftp, sums.keys, size) }
end
step("compare SHA-256 checksums") do
  abort "what came back differs" if checksums(BACK) != sums
end
session.disconnect

puts format("  %-32s %12s %9s", "", "bytes", "seconds")
ROWS.each { |row| puts format("  %-32s %12s %9s", *row) }
