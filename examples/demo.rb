# Run a command and move a tree of files, there and back.
#
#     RUBYLIB=build/ruby tests/sshd/fixture.py -- ruby examples/demo.rb
#
# starts a server and tells where it is by SSH2_* in the environment.
require "digest"
require "ssh2"

HOST = ENV.fetch("SSH2_HOST")
PORT = ENV.fetch("SSH2_PORT").to_i
TREE = File.expand_path("../tests", __dir__)
REMOTE = File.join(ENV.fetch("SSH2_TMP"), "there-ruby")
BACK = File.join(ENV.fetch("SSH2_TMP"), "back-ruby")

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

  printf("\r  %-8s [%-30s] %d bytes", word, "#" * (30 * done / total), done)
end

def checksums(top)
  names = Dir.glob("**/*", File::FNM_DOTMATCH, base: top).select do |name|
    File.ftype("#{top}/#{name}") == "file"
  end
  names.sort.to_h { |name| [name, Digest::SHA256.file("#{top}/#{name}")] }
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
    out, err = channel.read_all
    channel.close
    [out, err, channel.exit_status]
  end
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
  step("upload #{sums.size} files") do
    sftp.put_tree(TREE, REMOTE) { |*size| progress("upload", *size) }.bytes
  end
  step("download #{sums.size} files") do
    sftp.get_tree(REMOTE, BACK) { |*size| progress("download", *size) }.bytes
  end
end
step("compare SHA-256 checksums") do
  abort "what came back differs" if checksums(BACK) != sums
end
session.disconnect

puts
puts format("  %-32s %12s %9s", "", "bytes", "seconds")
ROWS.each { |row| puts format("  %-32s %12s %9s", *row) }
