# Configure the module by the project's CMake, and write a Makefile that has
# CMake build it. What is given as -D..., or in CMAKE_ARGS, is CMake's:
#
#     gem install ssh2 -- -DSSH2_LIBSSH2=system
require "rbconfig"
require "shellwords"

abort "ssh2 is built by CMake, which is not installed" unless
  system("cmake", "--version", out: File::NULL)

ENV["PYTHONDONTWRITEBYTECODE"] = "1"
options = ["-DCMAKE_BUILD_TYPE=Release", "-DSSH2_PYTHON=OFF",
           "-DRuby_EXECUTABLE=#{RbConfig.ruby}", *ARGV.grep(/\A-D/),
           *ENV.fetch("CMAKE_ARGS", "").shellsplit]
options.unshift("-GNinja") if system("ninja", "--version", out: File::NULL)
system("cmake", "-S", __dir__, "-B", "build", *options) ||
  abort("CMake failed: see above")

# RubyGems says where to install.
File.write("Makefile", <<~MAKE)
  export PYTHONDONTWRITEBYTECODE = 1
  sitearchdir = #{RbConfig::CONFIG['sitearchdir']}
  to = $(DESTDIR)$(sitearchdir)/ssh2

  all:
  \tcmake --build build --target binding_ruby --parallel

  install: all
  \tmkdir -p $(to)
  \tcp build/ruby/ssh2/binding.#{RbConfig::CONFIG['DLEXT']} $(to)
  \tcp build/ruby/sig/binding.rbs ../../sig

  clean:
  \tcmake --build build --target clean

  .PHONY: all install clean
MAKE
