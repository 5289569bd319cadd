# The examples of the documentation run as they stand, but for who and where.
require_relative "common"

class TestExamples < Minitest::Test
  include Common

  TOP = File.expand_path("../..", __dir__)
  FILES = [*Dir["#{TOP}/bindings/ruby/lib/ssh2/*.rb"].sort,
           "#{TOP}/bindings/ruby/README.md", "#{TOP}/README.md"].freeze
  # What stands for the places and people of an example.
  HERE = {
    '"example.org", user: "me"' => "HOST, PORT, known_hosts: KNOWN_HOSTS, " \
                                   'user: ENV["SSH2_USER"], key: KEY',
    /key: KEY,\s+key: "id_ed25519"/ => "key: KEY",
    '"inside.example.org", 22' => "HOST, PORT",
    '"inside.example.org"' => "HOST, PORT, KNOWN_HOSTS",
    'File.expand_path("~/.ssh/known_hosts")' => "KNOWN_HOSTS",
    '("me")' => '("kate")'
  }.freeze
  KNOWN_HOSTS = ENV.fetch("SSH2_KNOWN_HOSTS")

  # Where an example runs: what it takes for granted.
  class Place
    include Common

    attr_reader :said

    def initialize(test, code)
      @test = test
      @kate = code.include?('"kate"')
      @said = []
    end

    def session
      return @session ||= connect unless @kate

      port = ENV["SSH2_ASYNCSSH_PORT"] or @test.skip "no second server"
      @session ||= shake(port.to_i)
    end
    alias outer session

    def channel
      @channel ||= session.open_session
    end

    def sftp
      @sftp ||= session.sftp_init
    end

    def agent
      @agent ||= session.agent_init
    end

    def ask(prompt)
      { "Colour? " => "grün" }.fetch(prompt, "42")
    end

    def ask_secretly(_prompt)
      "blue sky"
    end

    def puts(*lines)
      @said += lines
    end

    # What stands before "# =>" gives what stands behind it.
    def gives(value, expected)
      @test.assert_equal(*[expected, value].map do |object|
        object.is_a?(String) ? object.b : object
      end)
    end
  end

  COMMENT = /(?:^ *# {5}.*\n(?: *#\n(?= *# {5}))*)+/.freeze
  PARAGRAPHS = /(?:^ {4}.*\n(?:\n(?= {4}))*)+/.freeze

  # The indented parts of a file's comments, or of a README, each with its line.
  def self.each_example(file)
    ours = file.end_with?(".rb")
    text = File.read(file)
    text.scan(ours ? COMMENT : PARAGRAPHS) do |code|
      line = $`.count("\n") + 1
      code = code.gsub(ours ? /^ *#(?: {5})?/ : /^ {4}/, "")
      yield line, code if ours || code.include?(%(require "ssh2"))
    end
  end

  FILES.each do |file|
    each_example(file) do |line, code|
      HERE.each { |there, here| code = code.gsub(there, here) }
      code = code.gsub(/^( *)(\S.*?) # => (.*)$/, '\1gives((\2), \3)')
      place = "#{file.delete_prefix("#{TOP}/")}, line #{line}"
      define_method("test_the_example_of_#{place}") do
        Place.new(self, code).instance_eval(code, file, line)
      end
    end
  end

  def test_every_class_has_an_example
    described = FILES.grep(/\.rb$/).flat_map do |file|
      File.read(file).scan(/#{COMMENT}(?:  #.*\n)*  (?:class |module )?(\w+)/)
    end
    classes = SSH2.constants.map { |name| SSH2.const_get(name) }
    classes.select! { |cls| cls.is_a?(Module) && !(cls <= Exception) }
    classes.reject! { |cls| cls != SSH2::Error && cls.include?(SSH2::Error) }
    names = classes.map { |cls| cls.name.delete_prefix("SSH2::") }
    assert_equal [], names - described.flatten - %w[Record]
  end
end
