# What SSH2 has from C, for rdoc, ri and yard.  Nothing loads it.
module SSH2
  # What to live by.
  #
  # Returns::
  #   String
  def self.motto
  end

  class Size
    # In mm.
    attr_reader :width
  end

  class Box
    # Enter a box; and see "what\ is" inside.
    #
    # It is dark. Mind the step.
    #
    # Parameters::
    #   +path+: String or an object with to_path, +mode+: Integer
    # Units::
    #   +path+ leads there; nil for +mode+ is nothing; +mode+ is octal
    # Ownership::
    #   the box stays its owner's
    # Blocking::
    #   until the door opens
    # Returns::
    #   Box or nil: the box that is inside; nil: it is the last;
    #   +:wait_readable+ or +:wait_writable+ where it would block
    # Errors::
    #   KnownError: locked; TakenError, SFTPProtocolError, SFTPKnownError
    # Source::
    #   enter(3)
    def enter(path, mode = 0)
    end

    # Read up to +most+ bytes of a box.
    #
    # Parameters::
    #   +most+: Integer
    # Units::
    #   +most+ in bytes
    # Blocking::
    #   until somebody writes; see #write
    # Returns::
    #   String or nil; +:wait_readable+ or +:wait_writable+ where it would
    #   block
    def read(most = 1024)
    end

    # Read up to +most+ bytes of a box.
    #
    # Parameters::
    #   +stream+: Integer, +most+: Integer
    # Units::
    #   +most+ in bytes; +stream+ is 0 or 1
    # Blocking::
    #   until somebody writes; see #write
    # Returns::
    #   String or nil; +:wait_readable+ or +:wait_writable+ where it would
    #   block
    def read_ex(stream, most)
    end

    # Write into a box.
    #
    # Parameters::
    #   +buf+: String
    # Blocking::
    #   until somebody reads
    # Returns::
    #   Integer; +:wait_readable+ or +:wait_writable+ where it would block
    def write(buf)
    end

    # Measure a box.
    #
    # Returns::
    #   [Size, Integer, Integer]
    def measure
    end

    # Is it empty?
    #
    # Returns::
    #   bool
    def empty
    end

    # Put a box into this one, and give it back.
    #
    #     box.put(other, sock) # => other
    #
    # Parameters::
    #   +inner+: Box, +sock+: IO, or an object with to_io or fileno, or
    #   Integer
    # Blocking::
    #   until it fits
    # Would block::
    #   +:wait_readable+ or +:wait_writable+
    def put(inner, sock)
    end

    # The box behind it.
    def next
    end

    # Shake it.
    #
    # Parameters::
    #   +force+: Numeric, +hard+: true or false
    # Returns::
    #   nil
    def shake(force, hard = true)
    end

    # Its name.
    #
    # Returns::
    #   String
    def name
    end

    # How heavy it is.
    #
    # Parameters::
    #   +count+: Integer
    # Returns::
    #   nil
    def derived(count)
    end
  end
end
