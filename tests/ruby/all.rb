# Run every test of this folder in one process, and print TAP.
require "minitest/autorun"

$stdout.sync = true # what a forked child would say again

# One line a test: ok, or not ok and why.
class Tap < Minitest::AbstractReporter
  LIMIT = 90 # seconds for one test; then all ends, saying where it hangs

  def initialize
    super
    @count = @failed = 0
  end

  def prerecord(_class, name)
    main = Thread.current
    @watch = Thread.new do
      Kernel.sleep(LIMIT)
      puts "not ok #{@count + 1} - #{name} hangs:", main.backtrace
      exit!(1)
    end
  end

  def start
    classes = Minitest::Runnable.runnables
    puts "1..#{classes.sum { |c| c.runnable_methods.size }}"
  end

  def record(result)
    @watch.kill
    @count += 1
    part = File.basename(result.source_location[0], ".rb")
    name = "#{part}: #{result.name.delete_prefix('test_').tr('_', ' ')}"
    if result.skipped?
      puts "ok #{@count} - #{name} # SKIP #{result.failure.message}"
    elsif result.passed?
      puts "ok #{@count} - #{name}"
    else
      @failed += 1
      puts "not ok #{@count} - #{name}"
      puts result.to_s.gsub(/^/, "# ")
    end
  end

  def passed?
    @failed.zero? && @count.positive?
  end
end

def Minitest.plugin_tap_init(_options)
  reporter.reporters.clear
  reporter << Tap.new
end
Minitest.extensions << "tap"

files = ARGV.empty? ? Dir.glob(File.join(__dir__, "test_*.rb")) : ARGV
files = files.sort.map { |file| File.expand_path(file) }
$LOAD_PATH.map! { |path| File.expand_path(path) }
ENV["RUBYLIB"] = $LOAD_PATH.join(":") # for what the tests start
Dir.chdir(ENV.fetch("SSH2_TMP"))
ARGV.replace(["--seed=1"])
files.each { |file| require file }
