module SSH2
  # What bytes go to or come from: a path, a descriptor, or an object.
  module Ends # :nodoc:
    private

    # How C is told of it; the block makes what it calls of an object.
    def ending(this, prefix = "")
      return { "#{prefix}fd": this } if this.is_a?(Integer)

      path = this.nil? || this.is_a?(String) ||
             (!this.respond_to?(:fileno) && this.respond_to?(:to_path))
      path ? { "#{prefix}local": this } : { "#{prefix}object": yield(this) }
    end

    def writer(object)
      return object.method(:write) if object.respond_to?(:write)

      raise TypeError, "#{object.class} is no path, descriptor or what writes"
    end

    def reader(object)
      raise TypeError, "#{object.class} is no path, descriptor or what reads" \
        unless object.respond_to?(:read)
      return ->(size) { object.read(size) || "" } unless
        object.respond_to?(:readpartial)

      lambda do |size|
        object.readpartial(size)
      rescue EOFError
        ""
      end
    end
  end
  private_constant :Ends
end
