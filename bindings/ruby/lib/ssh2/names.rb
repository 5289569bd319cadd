module SSH2
  # Parameters in order or by name, for methods that do not hand them to C as
  # they are: there, it is C that sorts them.
  module Names # :nodoc:
    private

    # The values of these names, `least` of which must be given.
    def in_order(args, named, *names, least: names.size)
      by_name = names.drop(args.size)
      unknown = named.keys - by_name
      unless unknown.empty?
        raise ArgumentError, "unknown keyword: #{unknown.first.inspect}"
      end

      given = args.size + named.size
      unless given.between?(least, names.size)
        raise ArgumentError, "wrong number of arguments (given #{given}, " \
                             "expected #{[least, names.size].uniq.join('..')})"
      end
      args + named.values_at(*by_name)
    end
  end
  private_constant :Names
end
