# Methods that this libssh2 has no function for: they raise
# FunctionMissingError, whatever they are given.
module SSH2
  raises = method(:raise_missing)
  missing_methods.each_line do |line|
    name, symbol = line.split
    method, owner = name.split(".").reverse
    (owner ? const_get(owner) : singleton_class).define_method(method) do |*, **|
      raises.call(symbol)
    end
  end
  private_class_method :missing_methods, :raise_missing
end
