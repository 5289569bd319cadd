require "timeout"

module SSH2
  # What every error of this library is. The classes come from the core's table;
  # those of an SFTP status descend from Errno's: SFTPNoSuchFileError is an
  # Errno::ENOENT as well.
  #
  #     begin
  #       sftp.stat("nowhere")
  #     rescue SSH2::SFTPNoSuchFileError => e
  #       e.path # => "nowhere"
  #       e.errno # => Errno::ENOENT::Errno
  #     end
  #
  # code::        libssh2's code, LIBSSH2_ERROR_*
  # name::        the name of the code, or of the SFTP status
  # func::        the function that failed
  # text::        what happened, in words
  # path::        the file, host or name it is about, or nil
  # sftp_status:: LIBSSH2_FX_*, or nil
  # done::        how many bytes had been written
  # errno::       the system's number for it, or nil
  module Error
    # The system's number for it, or nil.
    def errno
      @errno || (super if defined?(super))
    end

    # Function, path and text in a line.
    def to_s
      @message || super
    end

    # Itself, or with a message another one, as `raise` makes it.
    def exception(*message)
      super.tap do |other|
        other.instance_variable_set(:@message, nil) unless other.equal?(self)
      end
    end
  end

  # How C tells that a block raised, or that its thread is killed. Of older
  # Rubies Timeout throws.
  FAILED = ::Timeout::Error.respond_to?(:catch) ? [6, 7, 8] : [6, 8]
  private_constant :FAILED

  # With a block: its value, and the object is closed at its end, by `return`,
  # `break` and `throw` as well. An error of closing does not hide the block's.
  def self.closing(object, by = :close)
    return object if !block_given? || object.is_a?(Symbol)

    left = []
    begin
      noting(left) { yield object }
    ensure
      failed = FAILED.include?(left.first)
      begin
        object.public_send(by) unless failed && by != :close
      rescue Error
        raise unless failed
      end
    end
  end
end
