Lockstep.start()
# The one test that is meant to fail; it runs when it is asked for: `mix test --only disagreement`.
ExUnit.start(exclude: [:disagreement])
