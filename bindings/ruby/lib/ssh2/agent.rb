module SSH2
  # The user's key agent.
  #
  #     agent = session.agent_init
  #     agent.connect
  #     agent.identities.each { |key| puts key.comment }
  class Agent
    include Enumerable

    alias identity_path get_identity_path
    alias identity_path= set_identity_path

    # Each PublicKey of the last list.
    def each
      return enum_for(:each) unless block_given?

      index = 0
      while (key = identity(index))
        yield key
        index += 1
      end
      self
    end

    # The keys that the agent holds now.
    def get_identities
      list_identities || to_a
    end
    alias identities get_identities

    def inspect # :nodoc:
      "#<#{self.class}>"
    end
  end

  # A key that an agent holds.
  #
  #     agent.connect
  #     key = agent.identities.first
  #     key.blob_len # => 51
  class PublicKey
    include Record

    # The names of all that it says.
    FIELDS = %i[blob comment].freeze

    # How many bytes the public key has.
    def blob_len
      blob.bytesize
    end

    def inspect # :nodoc:
      "#<#{self.class} #{comment}>"
    end

    protected

    def compared # :nodoc:
      blob
    end
  end
end
