defmodule Lockstep.Runtime.WrongArgument do
  @moduledoc false
  # What a redirected function raises for an argument of which the VM says what is wrong with it.

  alias Lockstep.Runtime.Stack

  @doc """
  Raises `badarg` from `:erlang.function` with these arguments.

  The cause is what `Exception.message/1` needs besides the arguments to find the wrong one.
  """
  @spec fail(atom(), [term()], atom()) :: no_return()
  def fail(function, arguments, cause) do
    {:current_stacktrace, [_info | stack]} = Process.info(self(), :current_stacktrace)
    frame = {:erlang, function, arguments, [error_info: %{module: :erl_erts_errors, cause: cause}]}
    :erlang.raise(:error, :badarg, [frame | Enum.drop_while(stack, &Stack.own?/1)])
  end
end
