# The tally of a suite that is written in Ruby: suite.py's.
LONG = ENV.key?("SSH2_LONG")

class Tally
  attr_reader :bad

  def initialize(name)
    @name = name
    @tried = 0
    @bad = { "crashes" => 0, "hangs" => 0, "wrong" => 0 }
    @lock = Mutex.new
  end

  def ok(count = 1)
    @lock.synchronize { @tried += count }
  end

  def hang(what) = note("hangs", what)

  def wrong(what) = note("wrong", what)

  # The exit status.
  def end
    counts = @bad.map { |kind, n| "#{n} #{kind}" }.join(", ")
    puts "# suite: #{@name}: #{@tried} tried, #{counts}"
    @tried.zero? || @bad.values.sum.positive? ? 1 : 0
  end

  private

  def note(kind, what)
    @lock.synchronize do
      @tried += 1
      @bad[kind] += 1
    end
    puts "# #{@name}: #{kind}: #{what}"
  end
end
