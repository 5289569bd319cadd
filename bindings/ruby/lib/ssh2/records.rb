module SSH2
  # What only says something: equal to what says the same, and shown by it.
  module Record # :nodoc:
    def to_h
      self.class::FIELDS.to_h { |name| [name, public_send(name)] }
    end

    def ==(other)
      equal?(other) || (other.is_a?(self.class) && compared == other.compared)
    end
    alias eql? ==

    def hash
      compared.hash
    end

    def initialize_copy(_other) # :nodoc:
      raise TypeError, "can't copy #{self.class}"
    end

    def inspect # :nodoc:
      shown = to_h.map { |name, value| "#{name}=#{value}" }
      "#<#{self.class} #{shown.join(' ')}>"
    end

    protected

    def compared # :nodoc:
      to_h
    end
  end

  # A file's attributes. `flags` tells which of them are known, or are to be
  # set; what new is given by name is.
  #
  #     sftp.write("secret", "of mine")
  #     sftp.setstat("secret", SSH2::SFTPAttributes.new(permissions: 0o600))
  #     sftp.stat("secret").size # => 7
  class SFTPAttributes
    include Record

    # The names of all that it says.
    FIELDS = %i[flags filesize uid gid permissions atime mtime].freeze

    # Attributes that can only be set together.
    FLAGS = {
      %i[filesize] => LIBSSH2_SFTP_ATTR_SIZE,
      %i[uid gid] => LIBSSH2_SFTP_ATTR_UIDGID,
      %i[permissions] => LIBSSH2_SFTP_ATTR_PERMISSIONS,
      %i[atime mtime] => LIBSSH2_SFTP_ATTR_ACMODTIME
    }.freeze

    alias size filesize

    private alias_method :core_initialize, :initialize

    # Attributes to set: those that are given by name.
    def initialize(**fields)
      core_initialize
      FLAGS.each do |names, flag|
        given = names & fields.keys
        next if given.empty?
        raise ArgumentError, "#{names.join(' needs ')}" if given != names

        self.flags |= flag
      end
      fields.each { |name, value| public_send(:"#{name}=", value) }
    end

    def initialize_copy(other) # :nodoc:
      core_initialize
      other.to_h.each { |name, value| public_send(:"#{name}=", value) }
    end

    # Is it a directory?
    def directory?
      kind == LIBSSH2_SFTP_S_IFDIR
    end

    # Is it a regular file?
    def file?
      kind == LIBSSH2_SFTP_S_IFREG
    end

    # Is it a symbolic link?
    def symlink?
      kind == LIBSSH2_SFTP_S_IFLNK
    end

    # The permissions without the kind of file.
    def mode
      permissions & 0o7777
    end

    def inspect # :nodoc:
      known = FLAGS.select { |_, flag| flags & flag != 0 }.keys.flatten
      shown = known.map do |name|
        value = public_send(name)
        "#{name}=#{name == :permissions ? format('0o%o', value) : value}"
      end
      "#<#{[self.class, *shown].join(' ')}>"
    end

    private

    def kind
      permissions & LIBSSH2_SFTP_S_IFMT
    end
  end

  # What a file system has and has left, as statvfs(3) tells it.
  #
  #     vfs = sftp.statvfs(".")
  #     puts "#{vfs.f_bavail * vfs.f_frsize} bytes are left"
  class SFTPStatVFS
    include Record

    # The names of all that it says.
    FIELDS = %i[f_bsize f_frsize f_blocks f_bfree f_bavail f_files f_ffree
                f_favail f_fsid f_flag f_namemax].freeze
  end

  # What SCP tells of a file: `st_size`, `st_mode`, `st_mtime` and `st_atime`,
  # in seconds since 1970; all else is 0.
  #
  #     size = session.scp_recv2("/etc/passwd") { |_, info| info.st_size }
  #     sftp.stat("/etc/passwd").size - size # => 0
  class FileInfo
    include Record

    # The names of all that it says.
    FIELDS = %i[st_size st_mode st_ino st_nlink st_uid st_gid st_rdev st_blksize
                st_blocks st_atime st_mtime st_ctime].freeze

    def inspect # :nodoc:
      format("#<%s st_size=%d st_mode=0o%o>", self.class, st_size, st_mode)
    end
  end
end
