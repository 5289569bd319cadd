module SSH2
  # Reading, as an IO does. What was read ahead, for the end of a line, stays
  # with the object, and is what the next read gives: nothing is lost where a
  # call would block or is interrupted.
  #
  #     channel.execute("seq 1000")
  #     channel.gets # => "1\n"
  #     channel.read(4) # => "2\n3\n"
  #     IO.copy_stream(channel, "rest") # => 3887
  module Reading
    # How many bytes are read ahead at a time, at most.
    CHUNK = 65_536

    # With a length: that many bytes, fewer at the end, nil there. Without:
    # text, all that is left.
    def read(length = nil, outbuf = nil)
      return fill(length, outbuf, true) if length
      if outbuf && !(into = String.try_convert(outbuf))
        raise TypeError, "no implicit conversion of #{outbuf.class} into String"
      end
      raise FrozenError, "can't modify frozen String" if into&.frozen?

      text = take(nil, nil)
      return text if text.is_a?(Symbol)

      text ||= String.new(encoding: external_encoding)
      into ? into.replace(text) : text
    end

    # What is there, at most maxlen bytes; EOFError at the end.
    def readpartial(maxlen, outbuf = nil)
      fill(maxlen, outbuf, false) || raise(EOFError, "end of file reached")
    end

    # The next line, or nil at the end: as IO#gets.
    def gets(separator = $/, limit = nil, chomp: false)
      separator, limit = $/, separator if separator.is_a?(Integer)
      return String.new(encoding: external_encoding) if limit&.zero?

      limit = nil if limit&.negative?
      separator &&= separator.to_str
      if separator == ""
        separator = "\n\n"
        nil while (byte = getbyte) == 10
        return byte if byte.is_a?(Symbol)

        ungetbyte(byte)
      end
      line = take(separator&.b, limit)
      return line unless chomp && separator && line.is_a?(String)

      line.b.chomp(separator.b).force_encoding(line.encoding)
    end

    # A byte, or nil at the end.
    def getbyte
      byte = fill(1, nil, true)
      byte.is_a?(String) ? byte.ord : byte
    end

    # A character, or nil at the end.
    def getc
      take(nil, 1)
    end

    # The same, with an EOFError at the end.
    def readbyte
      getbyte || raise(EOFError, "end of file reached")
    end

    # The same, with an EOFError at the end.
    def readchar
      getc || raise(EOFError, "end of file reached")
    end

    # The same, with an EOFError at the end.
    def readline(...)
      gets(...) || raise(EOFError, "end of file reached")
    end

    # Each byte that is left.
    def each_byte(&block)
      each_of(:each_byte, :getbyte, &block)
    end

    # Each character that is left.
    def each_char(&block)
      each_of(:each_char, :getc, &block)
    end

    # Each line that is left.
    def each_line(*args, **named, &block)
      raise ArgumentError, "invalid limit: 0 for each_line" if args.include?(0)

      each_of(:each_line, :gets, *args, **named, &block)
    end

    # The lines that are left.
    def readlines(*args, **named)
      lines = each_line(*args, **named) # refuses what is wrong
      nil while (more = read_ahead(CHUNK)) == true
      more.is_a?(Symbol) ? more : lines.to_a
    end

    # Let the next read begin with a byte, or with bytes.
    def ungetbyte(bytes)
      bytes = [bytes & 255].pack("C") if bytes.is_a?(Integer)
      self.ahead = bytes.b + ahead.to_s if bytes
      nil
    end

    # Let the next read begin with a character, or with text.
    def ungetc(text)
      text = text.chr(external_encoding) if text.is_a?(Integer)
      ungetbyte(text)
    end

    # Is there nothing left to read? Waits until that is known.
    def eof?
      ahead.to_s.empty? && read_ahead(CHUNK).nil?
    end

    # What text is tagged with.
    def external_encoding
      @external_encoding || Encoding.default_external
    end

    # Tag text with another encoding, by name or not; nil: the default.
    def set_encoding(encoding, *)
      @external_encoding = encoding && Encoding.find(encoding)
      self
    end

    # Text is bytes from now on.
    def binmode
      set_encoding(Encoding::BINARY)
    end

    private

    # What the next read begins with, or nil.
    def ahead
      @unread
    end

    def ahead=(bytes)
      @unread = bytes
    end

    def each_of(name, get, *args, **named)
      return enum_for(name, *args, **named) unless block_given?

      while (item = public_send(get, *args, **named))
        return item if item.is_a?(Symbol)

        yield item
      end
      self
    end

    # Text up to and with a separator, or up to a limit, or all; nil at the end.
    def take(separator, limit)
      from = 0
      until (stop = stop_of(separator, limit, from))
        from = [ahead.to_s.bytesize - separator.to_s.bytesize, 0].max
        more = read_ahead(CHUNK)
        return more if more.is_a?(Symbol)
        break unless more
      end
      return if ahead.to_s.empty?

      stop ||= [limit, ahead.bytesize].compact.min
      fill(stop, nil, true).force_encoding(external_encoding)
    end

    # Where a line of what was read ahead ends, or nil: not in a character.
    def stop_of(separator, limit, from)
      held = ahead or return
      at = separator && held.index(separator, from)
      at += separator.bytesize if at
      return at if !limit || (at && at <= limit)

      return if held.bytesize < limit

      (limit..limit + 3).each do |size|
        part = held[0, size].force_encoding(external_encoding)
        return size if part.valid_encoding? && part.bytesize == size
        return limit unless begun?(part)
        return if part.bytesize < size
      end
      limit
    end

    # May what follows make a character of the last bytes?
    def begun?(text)
      to = text.encoding == Encoding::UTF_8 ? "UTF-16LE" : "UTF-8"
      convert = Encoding::Converter.new(text.encoding, to)
      convert.primitive_convert(text.dup, +"") == :incomplete_input
    rescue Encoding::ConverterNotFoundError
      true
    end
  end

  # Writing, as an IO does; meant for sessions that block.
  #
  #     channel.execute("cat")
  #     channel.puts "one", 2
  #     channel << "three" << "\n"
  #     channel.printf("%.1f\n", 4)
  #     channel.send_eof
  #     channel.read # => "one\n2\nthree\n4.0\n"
  module Writing
    # Write, and tell how many bytes were written.
    def write(*bytes, **named)
      bytes = [bytes.pack("a*" * bytes.size)] if bytes.size > 1
      core_write(*bytes, **named)
    end

    # Write an object as text.
    def <<(object)
      write(object.to_s)
      self
    end

    # Write objects as text.
    def print(*objects)
      write(objects.map { |object| object.to_s.b }.join)
      nil
    end

    # Write objects as lines.
    def puts(*objects)
      lines = objects.flatten.map { |object| object.to_s.b }
      lines = [""] if objects.empty?
      write(lines.map { |s| s.end_with?("\n") ? s : "#{s}\n" }.join)
      nil
    end

    # Write a byte, or the first character of text.
    def putc(object)
      write(object.is_a?(Integer) ? [object & 255].pack("C") : object[0])
      object
    end

    # Write objects by a format.
    def printf(format, *objects)
      print(format(format, *objects))
    end

    # Nothing is held back here.
    def flush
      self
    end

    # Nothing is held back: true.
    def sync
      true
    end

    # Of no effect.
    def sync=(value); end
  end
end
