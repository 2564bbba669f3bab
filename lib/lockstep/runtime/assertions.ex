defmodule Lockstep.Runtime.Assertions do
  @moduledoc false
  # What ExUnit's assertions take from the configuration.

  alias Lockstep.Runtime.Context

  # Virtual time costs nothing, and ExUnit's 100 ms are as long as a process may be held back: an `assert_receive` that
  # names no timeout would fail where nothing is wrong.
  @patience 5_000

  @doc "The timeout of an assertion, in ms: as given, otherwise a long one for messages that have to come."
  @spec timeout(term(), atom()) :: timeout()
  def timeout(nil, :assert_receive_timeout = key) do
    if Context.inside?(), do: @patience, else: ExUnit.Assertions.__timeout__(nil, key)
  end

  def timeout(timeout, key), do: ExUnit.Assertions.__timeout__(timeout, key)
end
