# API.md and the module name the same.
require_relative "common"

class TestNames < Minitest::Test
  API = File.read(File.expand_path("../../bindings/ruby/API.md", __dir__))
  SECTIONS = API.split(/^## /).drop(1).to_h { |text| text.split("\n", 2) }
  IO_LIKE = SECTIONS.fetch("Reading and writing, as an IO does")
  # What many have; `closed` is the core's word for `closed?`.
  OWN = %i[inspect == eql? hash to_s to_h closed].freeze

  # The methods that a text names, in backticks and before any result.
  def named(text)
    code = text.scan(/^\| (.+?) \|/).join(" ") + prose(text)
    code.scan(/`([^`]+)`/).flatten.filter_map do |words|
      words[/\A(?:\w+\.)?([a-z]\w*[?=]?|<<|==)(?=[ (]|\z)/, 1]&.to_sym
    end.uniq
  end

  def prose(text)
    text.lines.grep_v(/^\|/).join
  end

  def section(cls)
    cls = "Session" if cls == "Prompt"
    title = SECTIONS.keys.find { |key| key.split(/, | and /).include?(cls) }
    SECTIONS.fetch(title, "")
  end

  def constants
    SSH2.constants.map { |name| SSH2.const_get(name) }.uniq.select do |cls|
      cls.is_a?(Class) && !(cls <= Exception) && !(cls < Struct)
    end
  end

  def test_every_method_is_in_the_api
    missing = constants.flat_map do |cls|
      name = cls.name.delete_prefix("SSH2::")
      methods = cls.public_instance_methods(false) - OWN - named(section(name))
      methods -= named(IO_LIKE) if cls.include?(SSH2::Reading)
      methods.reject! { |m| m.end_with?("=") && cls.method_defined?(m[..-2]) }
      methods.map { |method| "#{name}##{method}" }
    end
    [SSH2::Reading, SSH2::Writing].each do |mixed|
      missing += mixed.public_instance_methods - named(IO_LIKE)
    end
    missing += SSH2.singleton_methods - [:closing] - named(section("SSH2"))
    assert_equal [], missing
  end

  def test_every_method_of_the_api_is_there
    missing = SECTIONS.flat_map do |title, text|
      owners = title.split(/, | and /).filter_map { |name| owner(name) }
      next [] if owners.empty?

      named(text.lines.grep(/^\|/).join).reject do |name|
        owners.any? { |cls| method?(cls, name) }
      end.map { |name| "#{title}: #{name}" }
    end
    assert_equal [], missing
  end

  def owner(name)
    name = name[0].upcase + name[1..]
    SSH2.const_get(name) if SSH2.constants.include?(name.to_sym)
  end

  def method?(cls, name)
    cls.method_defined?(name) || cls.respond_to?(name)
  end
end
