module SSH2
  # What an IO can do, for what can read a number of bytes: lines are cut from
  # what was read ahead, which the next read gives first.
  #
  # Where a call would block, a method that reads gives :wait_readable, and
  # what it had read so far is read again.
  module Reading
    CHUNK = 16_384

    # The next line, or nil at the end: as IO#gets.
    def gets(separator = $/, limit = nil, chomp: false)
      separator, limit = $/, separator if separator.is_a?(Integer)
      line = read_until(separator&.b, limit)
      return line unless line.is_a?(String)

      line.force_encoding(Encoding.default_external)
      chomp && separator ? line.chomp(separator) : line
    end

    # The next line; EOFError at the end.
    def readline(...)
      gets(...) || raise(EOFError, "end of file reached")
    end

    # Each line that is left.
    def each_line(*args, **named)
      return enum_for(:each_line, *args, **named) unless block_given?

      while (line = gets(*args, **named))
        return line if line.is_a?(Symbol)

        yield line
      end
      self
    end

    # The lines that are left.
    def readlines(...)
      each_line(...).to_a
    end

    # All that is left, "" at the end.
    def read_all
      read_until(nil, nil) || "".b
    end

    # What is there, at most maxlen bytes; EOFError at the end.
    def readpartial(maxlen, outbuf = nil)
      outbuf&.clear
      bytes = read(maxlen) || raise(EOFError, "end of file reached")
      return bytes unless outbuf && bytes.is_a?(String)

      outbuf << bytes
      bytes.clear # not left to the collector: they may be many
      outbuf
    end

    private

    # Bytes up to and with a separator, or up to a limit, or all; nil at the
    # end. Nothing is lost where something is raised meanwhile.
    def read_until(separator, limit)
      held = "".b
      from = 0
      until (stop = end_of_line(held, separator, limit, from))
        from = [held.bytesize - separator.to_s.bytesize, 0].max
        bytes = read(CHUNK)
        return bytes if bytes.is_a?(Symbol)
        break unless bytes

        held << bytes
      end
      rest = stop ? held.slice!(stop..) : ""
      line = held
      held = rest
      line.empty? && !stop ? nil : line
    ensure
      unread(held) unless held.empty?
    end

    def end_of_line(bytes, separator, limit, from)
      at = separator && bytes.index(separator, from)
      at += separator.bytesize if at
      limit && bytes.bytesize >= limit ? [at, limit].compact.min : at
    end

    # The next read gives these first.
    def unread(bytes)
      @unread = @unread ? bytes + @unread : bytes
    end
  end

  # What an IO can do, for what can write bytes. Meant for sessions that block.
  module Writing
    def <<(object)
      write(object.to_s)
      self
    end

    def print(*objects)
      write(objects.join)
      nil
    end

    def puts(*objects)
      lines = objects.flatten.map(&:to_s)
      lines = [""] if lines.empty?
      write(lines.map { |s| s.end_with?("\n") ? s : "#{s}\n" }.join)
      nil
    end

    def printf(format, *objects)
      print(format(format, *objects))
    end
  end
end
