# Build the gem from a clone, install it into a folder of its own, and use it.
#
#     gem.rb [OPTION-FOR-CMAKE...]
#
# Nothing is fetched.
require "fileutils"
require "find"
require "open3"
require "rbconfig"
require "rubygems/package"

TOP = File.expand_path("../..", __dir__)
TMP = ENV.fetch("SSH2_TMP")
CLONE, GEM, HOME = %w[clone ssh2.gem home].map { |name| File.join(TMP, name) }
SESSION = <<~RUBY.freeze
  require "ssh2"
  puts "version: \#{SSH2::VERSION}"
  puts "module: \#{$LOADED_FEATURES.grep(/ssh2.binding/)[0]}"
  SSH2::Session.open(ENV["SSH2_HOST"], ENV["SSH2_PORT"].to_i,
                     user: ENV["SSH2_USER"], key: ENV["SSH2_KEY"],
                     known_hosts: ENV["SSH2_KNOWN_HOSTS"]) do |session|
    session.open_session do |channel|
      channel.execute("echo from a gem")
      puts "output: \#{channel.gets}"
    end
  end
RUBY

def skip(why)
  puts "1..0 # SKIP #{why}"
  exit 77
end

def run(*command, **options)
  out, status = Open3.capture2e(*command, **options)
  puts out
  abort "failed: #{command.join(' ')}" unless status.success?
  out
end

def same(expected, actual)
  return if expected.sort == actual.sort

  abort "missing: #{expected - actual}, not wanted: #{actual - expected}"
end

# The files and links below a folder, but what was built.
def files(top)
  Find.find(top).filter_map do |path|
    Find.prune if %w[build .git __pycache__].include?(File.basename(path))
    path.delete_prefix("#{top}/") unless File.lstat(path).directory?
  end
end

# The same as git has it.
def tree
  return files(TOP) unless File.exist?("#{TOP}/.git")

  Open3.capture2("git", "ls-files", "-z", chdir: TOP)[0].split("\0")
       .select { |name| File.exist?("#{TOP}/#{name}") }
end

# What is in the gem: Ruby's own files but links, and the project's sources.
def wanted(names)
  own = names.grep(%r{\Abindings/ruby/}).reject do |name|
    name.end_with?(".gemspec") || File.symlink?("#{TOP}/#{name}")
  end
  own.map { |name| name.delete_prefix("bindings/ruby/") } +
    names.grep(%r{\A(core|swig|gen|cmake)/}).map { |name| "ext/ssh2/#{name}" }
end

gem = File.join(RbConfig::CONFIG["bindir"], "gem")
skip "gem is not installed" unless File.exist?(gem)
ENV.delete("RUBYLIB")
ENV["GEM_HOME"] = ENV["GEM_PATH"] = HOME

names = tree
names.each do |name|
  FileUtils.mkdir_p(File.dirname("#{CLONE}/#{name}"))
  FileUtils.copy_entry("#{TOP}/#{name}", "#{CLONE}/#{name}")
end
run(RbConfig.ruby, gem, "build", "ssh2.gemspec", "-o", GEM,
    chdir: "#{CLONE}/bindings/ruby")
same(names, files(CLONE))
same(wanted(names), Gem::Package.new(GEM).contents)

run(RbConfig.ruby, gem, "install", "--local", "--no-document", GEM, "--", *ARGV)
abort "no signatures of what is bound" unless
  Dir.glob("#{HOME}/gems/ssh2-*/sig/binding.rbs").one?
said = run(RbConfig.ruby, "-w", "-e", SESSION, chdir: TMP)
version = File.read("#{TOP}/cmake/version.txt")
abort "not what was installed" unless
  said.match?(/\Aversion: #{version}module: #{HOME}.*\noutput: from a gem\n\z/)
