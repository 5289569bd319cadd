module SSH2
  # What bytes go to or come from: a path, a descriptor, or an object.
  module Ends # :nodoc:
    private

    # How C is told of it; the block makes what it calls of an object.
    def ending(this, prefix = "")
      return { "#{prefix}fd": this } if this.is_a?(Integer)

      return { "#{prefix}local": this } if path?(this)

      { "#{prefix}object": yield(this) }
    end

    # As #ending; by its number C knows an object that is given again.
    def known_ending(this, &block)
      told = ending(this, &block)
      told.key?(:object) ? { **told, object_id: this.__id__ } : told
    end

    # Is it one, or none at all?
    def path?(this)
      this.nil? || this.is_a?(String) ||
        (!this.respond_to?(:fileno) && this.respond_to?(:to_path))
    end

    def writer(object)
      raise TypeError, "#{object.class} is no path, descriptor or what writes" \
        unless object.respond_to?(:write)

      ->(bytes) { write_all(object, bytes) { |part| object.write(part) } }
    end

    # Write all to a stream, as #write_some does.
    def write_all(stream, bytes, &write)
      until bytes.empty?
        bytes = bytes.byteslice(write_some(stream, bytes, &write)..)
      end
    end

    # Of what goes to a stream the block writes what it may, and tells how many
    # bytes these were.
    def write_some(stream, bytes)
      said = again(stream) { yield bytes }
      unless said.is_a?(Integer)
        raise TypeError, "write() returned #{said.class}, not Integer"
      end
      unless said.between?(1, bytes.bytesize)
        raise ArgumentError,
              "write() returned #{said}, of #{bytes.bytesize} bytes"
      end

      said
    rescue Error => e
      # What a channel or a file took it tells; why no more, the next time.
      raise unless stream.is_a?(Writing) && e.done&.positive?

      e.done
    end

    # What the block gives once a channel's session has it wait no more.
    def again(stream)
      while (result = yield).is_a?(Symbol) && stream.respond_to?(:session)
        stream.session.wait(0.05) # others may take its bytes
      end
      result
    end

    def reader(object)
      raise TypeError, "#{object.class} is no path, descriptor or what reads" \
        unless object.respond_to?(:read)
      return ->(size) { object.read(size) || "" } unless
        object.respond_to?(:readpartial)

      lambda do |size|
        again(object) { object.readpartial(size) }
      rescue EOFError
        ""
      end
    end
  end
  private_constant :Ends
end
