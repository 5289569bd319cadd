# Every method is documented, and has the signature that it says it has.
require_relative "common"
require "open3"
require "rbconfig"

# What the .rbs files say: the methods of each class, and how many arguments
# each takes.
class Signatures
  attr_reader :methods, :constants, :blocks

  def initialize(folder)
    @blocks = Hash.new { |hash, key| hash[key] = [] } # who takes one
    @methods = Hash.new { |hash, key| hash[key] = {} }
    @constants = Hash.new { |hash, key| hash[key] = [] }
    Dir.glob(File.join(folder, "*.rbs")).sort.each { |path| read(path) }
  end

  private

  def read(path)
    scopes = []
    File.foreach(path) do |line|
      @blocks[scopes.join("::")] << ($1 || @last) if
        line =~ /\A\s*(?:def (\S+):|\|) .*(?:\) \??\{|-> bot)/
      case line
      when /\A\s*(class|module|interface) (\w+)/
        @constants[scopes.join("::")] << $2 unless $1 == "interface"
        scopes << $2
      when /\A\s*end$/ then scopes.pop
      when /\A\s*def (\S+): (.*)/ then add(scopes, $1, range($2))
      when /\A\s*\| (\(.*)/ then widen(scopes, range($1))
      when /\A\s*attr_reader (\w+):/ then add(scopes, $1, [0, 0])
      when /\A\s*attr_accessor (\w+):/
        add(scopes, $1, [0, 0])
        add(scopes, "#{$1}=", [1, 1])
      when /\A\s*alias (\S+) (\S+)/
        add(scopes, $1, @methods[scopes.join("::")][$2])
      when /\A\s*([A-Z]\w*): / then @constants[scopes.join("::")] << $1
      end
    end
  end

  def add(scopes, name, range)
    @last = name
    @methods[scopes.join("::")][name] = range
  end

  def widen(scopes, range)
    old = @methods[scopes.join("::")][@last]
    most = [old[1], range[1]]
    most = most.include?(nil) ? nil : most.max
    @methods[scopes.join("::")][@last] = [[old[0], range[0]].min, most]
  end

  # The least and the most arguments; the most is nil where any number will do.
  def range(type)
    words = split(type[/\A(?:\[.*?\] )?\((.*)/, 1])
    plain = words.grep_v(/\A\??\w+: |\A\*/)
    rest = words.any?(/\A\*(?!\*)/)
    [plain.grep_v(/\A\?/).size, rest ? nil : plain.size]
  end

  # The parameters, of what is behind the opening parenthesis.
  def split(text)
    depth = 0
    words = [+""]
    text.each_char do |char|
      depth += 1 if "([{".include?(char)
      depth -= 1 if ")]}".include?(char)
      break if depth.negative?

      char == "," && depth.zero? ? words << +"" : words.last << char
    end
    words.map(&:strip).reject(&:empty?)
  end
end

class TestDocs < Minitest::Test
  include Common

  ROOT = File.dirname($LOADED_FEATURES.grep(%r{/ssh2\.rb\z}).first)
  SIGNATURES = Signatures.new(File.join(ROOT, "sig"))
  HIDDEN = %w[SSH2::Pump].freeze # :nodoc:

  # Each of ours by its name, errors apart.
  def scopes(root = SSH2)
    inner = root.constants(false).map { |name| root.const_get(name) }
    inner = inner.select { |c| c.is_a?(Module) && c.name.start_with?(root.name) }
    [root, *inner.uniq.flat_map { |scope| scopes(scope) }]
      .reject { |scope| HIDDEN.include?(scope.name) }
  end

  def error?(scope)
    scope != SSH2::Error && (scope < Exception || scope < SSH2::Error)
  end

  # Its public methods by name, what SSH2 has on itself as "self.name".
  def methods_of(scope)
    own = scope.public_instance_methods(false)
    own = own.to_h { |name| [name.to_s, scope.instance_method(name)] }
    scope.singleton_methods(false).each do |name|
      next if scope.instance_of?(Class) && %i[new []].include?(name)
      next if scope < Struct && Struct.new(:a).singleton_methods.include?(name)

      own["self.#{name}"] = scope.method(name)
    end
    own
  end

  # Is it for ourselves alone, or plain in any class?
  def hidden?(method)
    file, line = method.source_location
    file && File.readlines(file)[line - 1].include?(":nodoc:")
  end

  def test_every_method_has_a_signature_and_every_signature_a_method
    scopes.reject { |scope| error?(scope) }.each do |scope|
      told = SIGNATURES.methods[scope.name].keys - ["initialize"]
      own = methods_of(scope).reject do |name, method|
        hidden?(method) && !told.include?(name)
      end
      assert_equal told.sort, own.keys.sort, scope.name
    end
  end

  def test_every_constant_has_a_type
    scopes.each do |scope|
      names = scope.constants(false).map(&:to_s).reject do |name|
        HIDDEN.include?("#{scope.name}::#{name}")
      end
      assert_equal names.sort, SIGNATURES.constants[scope.name].uniq.sort,
                   scope.name
    end
  end

  def test_errors_descend_from_what_the_signatures_say
    File.foreach(File.join(ROOT, "sig", "binding.rbs")) do |line|
      next unless line =~ /\A  class (\w+Error|Timeout) < (\S+)/

      parent = $2.split("::").inject(SSH2) { |scope, name| scope.const_get(name) }
      assert_equal parent, SSH2.const_get($1).superclass, $1
    end
  end

  def of_parameters(method)
    kinds = method.parameters.map(&:first)
    least = kinds.count(:req)
    [least, kinds.include?(:rest) ? nil : least + kinds.count(:opt)]
  end

  # One that only counts its arguments when it is called.
  def late?(method)
    method.parameters.map(&:first).include?(:rest)
  end

  def test_methods_written_in_ruby_take_what_they_say
    count = 0
    scopes.reject { |scope| error?(scope) }.each do |scope|
      methods_of(scope).each do |name, method|
        told = SIGNATURES.methods[scope.name][name]
        next if late?(method) || !method.source_location || !told

        count += 1
        assert_equal told, of_parameters(method), "#{scope.name} #{name}"
      end
    end
    assert_operator count, :>, 80
  end

  def test_who_takes_a_block_says_so
    count = 0
    scopes.each do |scope|
      methods_of(scope).each do |name, method|
        next if hidden?(method) || method.name != method.original_name
        next unless method.parameters.include?(%i[block block])

        count += 1
        assert_includes SIGNATURES.blocks[scope.name], name, scope.name
      end
    end
    assert_operator count, :>, 20
  end

  def test_a_key_may_be_added_by_its_kind_and_blob
    assert_equal [2, 4], SIGNATURES.methods["SSH2::PublicKeySystem"]["add"]
  end

  def objects
    session = connect
    sftp = session.sftp_init
    hosts = session.knownhost_init
    hosts.readfile(ENV.fetch("SSH2_KNOWN_HOSTS"))
    listener = session.forward_listen(0)
    channel = run_command(session, "cat")
    [SSH2, session, sftp, sftp.opendir("."), hosts, hosts.get, listener,
     channel, channel.stderr, session.agent_init, SSH2::SFTPAttributes.new,
     sftp.statvfs(".")]
  end

  # How it refuses the arguments: for their number, as C does; otherwise, as
  # Ruby's own may, who look at them before they pass them on; or not.
  def refusal(object, name, arguments, &block)
    object.public_send(name, *arguments, &block)
    nil
  rescue ArgumentError => e
    e.message.match?(/wrong (#|number) of arguments/) ? :number : :other
  rescue StandardError
    :other
  end

  def refuses(object, name, method, arguments)
    found = refusal(object, name, arguments) { nil }
    found && (method.source_location || found == :number)
  end

  def test_methods_that_count_late_take_what_they_say
    count = 0
    objects.each do |object|
      scope = object == SSH2 ? object : object.class
      methods_of(scope).each do |name, method|
        least, most = SIGNATURES.methods[scope.name][name]
        next if !least || (method.source_location && !late?(method))

        about = "#{scope.name} #{name}"
        name = name.delete_prefix("self.")
        count += 1
        assert refuses(object, name, method, [[]] * (least - 1)), about if
          least > 0
        next unless most

        assert refuses(object, name, method, [[]] * (most + 1)), about
        # Nothing of ours takes an Array for its first argument.
        refute_equal :number, refusal(object, name, [[]] * most), about if
          most > 0
      end
    end
    assert_operator count, :>, 120
  end

  def test_every_name_is_documented
    begin
      gem "rdoc"
    rescue LoadError
      skip "rdoc is not installed"
    end
    files = Dir.glob(File.join(ROOT, "{ssh2.rb,ssh2/*.rb,doc/*.rb}"))
    text, = Open3.capture2e(RbConfig.ruby, "-rrdoc", "-e",
                            "RDoc::RDoc.new.document(ARGV)", "--", "-C", *files)
    assert_includes text, "100% documentation!", text
  end

  def test_signatures_are_valid
    begin
      require "rbs"
    rescue LoadError
      skip "the gem rbs is not installed"
    end
    loader = RBS::EnvironmentLoader.new
    loader.add(path: Pathname(File.join(ROOT, "sig")))
    env = RBS::Environment.from_loader(loader).resolve_type_names
    builder = RBS::DefinitionBuilder.new(env: env)
    ours = env.class_decls.keys.select { |n| n.to_s.start_with?("::SSH2") }
    ours.each { |name| builder.build_instance(name) }
    ours.each { |name| builder.build_singleton(name) }
    assert_operator ours.size, :>, 90
  end
end
