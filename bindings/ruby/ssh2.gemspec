# The gem: Ruby's own files, and the project's folders that the module is built
# from, which links in ext/ssh2 reach.
Gem::Specification.new do |spec|
  spec.name = "ssh2"
  spec.version = File.read("#{__dir__}/ext/ssh2/cmake/version.txt").strip
  spec.summary = "SSH over libssh2: commands, files, agents, known hosts"
  spec.description = "SSH sessions, commands, forwarding and SFTP by libssh2. " \
                     "Threads, Fiber schedulers, Timeout and signals go on."
  spec.author = "The ssh2 project"
  spec.license = "BSD-3-Clause"
  spec.required_ruby_version = ">= 3.0"
  spec.metadata["rubygems_mfa_required"] = "true"
  spec.files = Dir.chdir(__dir__) do
    Dir["*.md", "lib/**/*.rb", "sig/*.rbs", "ext/ssh2/*.{rb,txt}",
        "ext/ssh2/{core,swig,gen,cmake}/**/*"].select { |path| File.file?(path) }
                                              .grep_v(/__pycache__/)
  end
  spec.extensions = ["ext/ssh2/extconf.rb"]
  spec.extra_rdoc_files = Dir.chdir(__dir__) { Dir["*.md"] }
end
