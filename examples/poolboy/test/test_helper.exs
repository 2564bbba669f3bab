Code.ensure_loaded?(:poolboy) || raise "poolboy is not here: run bin/fetch first, then mix test"
Lockstep.start()
ExUnit.start()
