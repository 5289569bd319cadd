module SSH2
  class Box
    # The box behind it.
    def next
    end

    # Put a box into this one, and give it back.
    #
    #     box.put(other, sock) # => other
    def put(*args, **named)
    end

    def label
    end

    # Nothing of C's.
    def lid(size)
    end
  end
end
