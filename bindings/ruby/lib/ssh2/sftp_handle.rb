module SSH2
  # An open file, which is read and written as an IO is, or a directory.
  #
  #     sftp.open("notes.txt", "a+") do |file|
  #       file.puts "one more line"
  #       file.rewind
  #       file.each_line { |line| puts line }
  #     end
  class SFTPHandle
    include Reading
    include Writing

    # A directory's entry: name, the line that `ls -l` would show, attributes.
    Entry = Struct.new(:name, :longname, :attributes)

    alias closed? closed
    alias stat fstat

    private alias_method :core_readdir, :readdir
    private alias_method :core_seek64, :seek64
    private alias_method :core_tell64, :tell64
    private alias_method :core_write, :write
    private alias_method :core_close, :close
    %i[read write].each { |name| remove_method(name) } # an IO's instead

    # The next Entry of a directory, nil at the end.
    def readdir
      name, longname, attributes = core_readdir
      return name unless name.is_a?(String)

      Entry.new(name.force_encoding(Encoding::UTF_8),
                longname&.force_encoding(Encoding::UTF_8), attributes)
    end

    # Each Entry that is left, "." and ".." included.
    def each_entry
      return enum_for(:each_entry) unless block_given?

      while (entry = readdir)
        return entry if entry.is_a?(Symbol)

        yield entry
      end
      self
    end

    # Write, and tell how many bytes were written.
    def write(*bytes, **named)
      moved = seek64(tell64) if @unread
      moved.is_a?(Symbol) ? moved : super
    end

    # Go to an offset from the start.
    def seek64(*args, **named)
      result = core_seek64(*args, **named)
      @unread = nil unless result.is_a?(Symbol)
      result
    end

    # The offset from the start.
    def tell64
      core_tell64 - (@unread ? @unread.bytesize : 0)
    end
    alias tell tell64
    alias pos tell64
    alias pos= seek64

    # Go to an offset from the start, the place, or the end.
    def seek(offset, whence = IO::SEEK_SET)
      from = case whence
             when IO::SEEK_SET, :SET then 0
             when IO::SEEK_CUR, :CUR then tell64
             when IO::SEEK_END, :END then size
             else raise ArgumentError, "unknown whence: #{whence.inspect}"
             end
      from.is_a?(Symbol) ? from : seek64(from + offset) || 0
    end

    # Go to the start.
    def rewind
      seek64(0)
    end

    # The file's size.
    def size
      result = fstat
      result.is_a?(Symbol) ? result : result.filesize
    end

    # Close it; again: nothing is done.
    def close
      result = core_close
      @unread = @kept = nil unless result
      result
    end

    # The SFTP that opened it.
    def sftp
      @parent
    end

    # The session it belongs to.
    def session
      sftp.session
    end

    def inspect # :nodoc:
      "#<#{self.class} #{closed? ? 'closed' : 'open'}>"
    end
  end
end
