Lockstep.start()
ExUnit.start()
