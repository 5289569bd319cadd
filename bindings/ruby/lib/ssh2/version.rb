module SSH2
  VERSION = "0.1.0"
end
