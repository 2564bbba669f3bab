defmodule Lockstep.Runtime.Log do
  @moduledoc false
  # Logging is off inside a simulation: a sweep would print the same crash report once a seed.

  alias Lockstep.Runtime.Context

  @doc "`:logger.allow/2`."
  @spec allow(:logger.level(), module()) :: boolean()
  def allow(level, module), do: not Context.inside?() and :logger.allow(level, module)

  @doc "`Logger.__should_log__/2`, which the macros of `Logger` expand to."
  @spec should_log(atom(), module()) :: atom()
  def should_log(level, module) do
    # Applied, because a program without logging may run without the application `:logger`.
    if Context.inside?(), do: nil, else: apply(Logger, :__should_log__, [level, module])
  end
end
