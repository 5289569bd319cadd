module SSH2
  # What is to be known of a key; `mandatory`: what must be understood.
  #
  #     laptop = SSH2::PublicKeyAttribute.new("comment", "laptop")
  #     laptop.mandatory # => false
  PublicKeyAttribute = Struct.new(:name, :value, :mandatory) do
    def initialize(name, value, mandatory = false)
      super
    end
  end

  # A key of the server's list: its kind, the public key, and its attributes.
  #
  #     session.publickey_init do |keys|
  #       keys.each { |key| puts "#{key.name}: #{key.num_attrs} attributes" }
  #     end
  PublicKeyList = Struct.new(:name, :blob, :attrs) do
    def num_attrs
      attrs.size
    end

    def inspect # :nodoc:
      "#<#{self.class} #{name.b.inspect} num_attrs=#{num_attrs}>"
    end
    alias_method :to_s, :inspect
  end

  # The keys that may log in, kept by the server.
  #
  #     agent.connect
  #     blob = agent.identities.first.blob
  #     session.publickey_init do |keys|
  #       keys.add("ssh-ed25519", blob, false,
  #                [SSH2::PublicKeyAttribute.new("comment", "laptop")])
  #       keys.each { |key| puts key.name }
  #     end
  class PublicKeySystem
    include Enumerable

    alias closed? closed
    alias close shutdown
    private alias_method :core_add, :add
    private alias_method :core_list_fetch, :list_fetch

    # Let a key log in: its kind, the public key, whether it may replace the
    # same key, and an Array of PublicKeyAttribute.
    def add(*args, **named)
      args[3] = parts_of(args[3]) if args.size > 3
      named[:attrs] = parts_of(named[:attrs]) if named.key?(:attrs)
      core_add(*args, **named)
    end

    # The keys that may log in: an Array of PublicKeyList.
    def list_fetch
      keys = core_list_fetch
      return keys unless keys.is_a?(Array)

      keys.map do |name, blob, attrs|
        PublicKeyList.new(name, blob,
                          attrs.map { |attr| PublicKeyAttribute.new(*attr) })
      end
    end

    # Nothing: a list is Ruby's own.
    def list_free(_list = nil); end

    # Each key that may log in, of a list fetched anew.
    def each(&block)
      return enum_for(:each) unless block

      list = list_fetch
      return list if list.is_a?(Symbol)

      list.each(&block)
      self
    end

    def inspect # :nodoc:
      "#<#{self.class}#{' closed' if closed?}>"
    end

    def initialize_copy(_other) # :nodoc:
      raise TypeError, "can't copy #{self.class}"
    end

    private

    def parts_of(attrs)
      [].concat(attrs).flat_map do |attr|
        unless attr.is_a?(PublicKeyAttribute)
          raise TypeError, "no PublicKeyAttribute, but #{attr.class}"
        end

        [attr.name, attr.value, attr.mandatory ? "1" : ""]
      end
    end
  end
end
