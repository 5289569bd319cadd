module SSH2
  # Files on the other side.
  #
  #     session.sftp_init do |sftp|
  #       sftp.open("notes.txt", "w") { |file| file.puts "hello" }
  #       sftp.each(".") { |entry| puts entry.name }
  #     end
  class SFTP
    include Ends
    include Names

    # Those of File.open's modes that SFTP knows, and what they are here.
    MODES = {
      "r" => LIBSSH2_FXF_READ,
      "r+" => LIBSSH2_FXF_READ | LIBSSH2_FXF_WRITE,
      "w" => LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT | LIBSSH2_FXF_TRUNC,
      "w+" => LIBSSH2_FXF_READ | LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT |
              LIBSSH2_FXF_TRUNC,
      "wx" => LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT | LIBSSH2_FXF_EXCL,
      "a" => LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT | LIBSSH2_FXF_APPEND,
      "a+" => LIBSSH2_FXF_READ | LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT |
              LIBSSH2_FXF_APPEND
    }.freeze

    private alias_method :core_open, :open
    private alias_method :core_opendir, :opendir
    private alias_method :core_open_r, :open_r
    private alias_method :core_open_ex_r, :open_ex_r
    private alias_method :core_mkdir, :mkdir
    private alias_method :core_close, :close
    private alias_method :core_get, :get
    private alias_method :core_put, :put
    private alias_method :core_get_tree, :get_tree
    private alias_method :core_put_tree, :put_tree

    # What #get_tree and #put_tree have done: how many files and bytes, and the
    # names of what was skipped: links out of the tree, and what is no file.
    Moved = Struct.new(:files, :bytes, :skipped)

    # The session that opened it.
    def session
      @parent
    end

    # :call-seq:
    #   open(filename, flags = "r", mode = 0o644)
    #
    # A file, as SFTPHandle. `flags` are LIBSSH2_FXF_*, or one of MODES, with a
    # "b" if all that is read shall be bytes; `mode` is what a new file may.
    # With a block: the block's value, and the file is closed.
    def open(*args, **named, &block)
      named[:flags] = "r" unless args.size > 1 || named.key?(:flags)
      named[:mode] = 0o644 unless args.size > 2 || named.key?(:mode)
      where, key = args.size > 1 ? [args, 1] : [named, :flags]
      mode = where[key]
      where[key] = flags_of(mode) if mode.is_a?(String)
      file = core_open(*args, **named)
      file.binmode if file.is_a?(SFTPHandle) && mode.to_s.include?("b")
      SSH2.closing(file, &block)
    end

    # A directory, as SFTPHandle. With a block: the block's value, and it is
    # closed.
    def opendir(*args, **named, &block)
      SSH2.closing(core_opendir(*args, **named), &block)
    end

    # open_r(filename, flags, mode, attrs): a file, as SFTPHandle, made with the
    # attributes that attrs.flags names. With a block: as #open.
    def open_r(*args, **named, &block)
      SSH2.closing(core_open_r(*args, **named), &block)
    end

    # open_ex_r(filename, flags, mode, open_type, attrs): the same, or a
    # directory, by LIBSSH2_SFTP_OPENFILE or LIBSSH2_SFTP_OPENDIR.
    def open_ex_r(*args, **named, &block)
      SSH2.closing(core_open_ex_r(*args, **named), &block)
    end

    # :call-seq:
    #   mkdir(path, mode = 0o777)
    #
    # Make a directory; the server's umask holds.
    def mkdir(*args, **named)
      named[:mode] = 0o777 unless args.size > 1 || named.key?(:mode)
      core_mkdir(*args, **named)
    end

    # Each Entry of a directory, but "." and "..".
    def each(path)
      return enum_for(:each, path) unless block_given?

      result = opendir(path) do |dir|
        while (entry = dir.readdir)
          if entry.is_a?(Symbol)
            session.wait # made again it would begin anew
          elsif ![".", ".."].include?(entry.name)
            yield entry
          end
        end
      end
      result.is_a?(Symbol) ? result : self
    end

    # All entries of a directory, but "." and "..".
    def entries(path)
      entries = []
      result = each(path) { |entry| entries << entry }
      result.is_a?(Symbol) ? result : entries
    end

    # A whole file, as text.
    def read(path)
      open(path, &:read)
    end

    # A whole file, as bytes.
    def binread(path)
      open(path, "rb", &:read)
    end

    # Write a whole file, and tell how many bytes it has.
    def write(path, bytes, mode = 0o644)
      open(path, "w", mode) { |file| file.write(bytes) }
    end

    # Is there such a file? A link counts if what it names is there.
    def exist?(path)
      result = stat(path)
      result.is_a?(Symbol) ? result : true
    rescue SFTPNoSuchFileError, SFTPNoSuchPathError
      false
    end

    # :call-seq:
    #   get(remote, local, resume: false, temporary: true, preserve: false) { |done, total| ... }
    #
    # Get a file: to a path, a descriptor, or what has `write` and tells, as an
    # IO does, how many bytes that took. The block, or `progress`, is called at
    # most ten times a second; what it raises ends the transfer. Until all is
    # there the file has another name, unless `temporary` is false; `resume`
    # goes on with what an earlier call left that was to be resumed as well;
    # `preserve` keeps times and mode; both need a path. How many bytes it has.
    def get(*args, progress: nil, resume: false, temporary: true,
            preserve: false, **named, &block)
      remote, local = in_order(args, named, :remote, :local)
      core_get(remote, **known_ending(local) { |io| writer(io) },
               progress: block || progress, resume: resume,
               temporary: temporary, preserve: preserve)
    end

    # :call-seq:
    #   put(local, remote, resume: false, temporary: true, preserve: false) { |done, total| ... }
    #
    # Put a file: from a path, a descriptor, or what has `read`. As #get, the
    # other way, but that a descriptor of a file can be resumed and has times,
    # too.
    def put(*args, progress: nil, resume: false, temporary: true,
            preserve: false, **named, &block)
      local, remote = in_order(args, named, :local, :remote)
      core_put(remote: remote, local: nil,
               **known_ending(local) { |io| reader(io) },
               progress: block || progress, resume: resume,
               temporary: temporary, preserve: preserve)
    end

    # :call-seq:
    #   get_tree(remote, local, preserve: false, limit: 1_000_000) { |done, total| ... }
    #
    # Get a folder and all that is in it, many files at once: Moved. No link is
    # followed; one that stays in the tree is made anew. `limit` is the most
    # names, 0: any number; the block is told how many bytes have come.
    def get_tree(*args, **named, &block)
      named[:progress] = block if block
      moved(core_get_tree(*args, **named))
    end

    # :call-seq:
    #   put_tree(local, remote, preserve: false, limit: 1_000_000) { |done, total| ... }
    #
    # Put a folder and all that is in it: Moved. As #get_tree, the other way.
    def put_tree(*args, **named, &block)
      named[:progress] = block if block
      moved(core_put_tree(*args, **named))
    end

    # End SFTP; open files and directories are closed first.
    def close
      result = core_close
      @closed = true unless result
      result
    end

    # Was it closed, or its session?
    def closed?
      @closed || session.closed?
    end

    def inspect # :nodoc:
      "#<#{self.class} #{closed? ? 'closed' : 'open'}>"
    end

    private

    def moved(result)
      result.is_a?(Array) ? Moved.new(*result) : result
    end

    def flags_of(mode)
      MODES.fetch(mode.delete("b")) do
        raise ArgumentError, "invalid access mode #{mode}"
      end
    end
  end
end
