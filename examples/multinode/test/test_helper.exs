Lockstep.start()
# The one test that is meant to fail; it runs when it is asked for: `mix test --only conflict`.
ExUnit.start(exclude: [:conflict])
