module SSH2
  # A collection of known hosts, as in OpenSSH's known_hosts.
  #
  #     hosts = session.knownhost_init
  #     hosts.readfile(File.expand_path("~/.ssh/known_hosts"))
  #     hosts.each { |entry| puts entry.name }
  class KnownHost
    include Enumerable
    include Names

    # Each KnownHostEntry, which the block may delete.
    def each
      return enum_for(:each) unless block_given?

      following = get
      while (entry = following)
        following = get(entry)
        yield entry
      end
      self
    end

    # :call-seq:
    #   add(host, salt, key, typemask)
    #
    # Add a key without a comment.
    def add(*args, **named)
      host, salt, key, typemask =
        in_order(args, named, :host, :salt, :key, :typemask)
      addc(host, key, typemask, salt)
    end

    # :call-seq:
    #   check(host, key, typemask)
    #
    # The entry that matches, whatever the port.
    def check(*args, **named)
      host, key, typemask = in_order(args, named, :host, :key, :typemask)
      checkp(host, -1, key, typemask)
    end

    def inspect # :nodoc:
      "#<#{self.class}>"
    end
  end

  # A host's key.
  #
  #     hosts = session.knownhost_init
  #     hosts.readfile(File.expand_path("~/.ssh/known_hosts"))
  #     puts hosts.first.name
  #     hosts.first.key.unpack1("m") == session.hostkey.first
  class KnownHostEntry
    include Record

    # The names of all that it says.
    FIELDS = %i[name key typemask].freeze

    # Its name and its key.
    def to_s
      "#{name || '(hashed)'} #{key}"
    end

    def inspect # :nodoc:
      "#<#{self.class} #{name || '(hashed)'}>"
    end
  end
end
