defmodule Oracle.Outcome do
  @moduledoc false
  # How a function ended, without its stack.

  @doc "`{:ok, value}` or the kind and the reason."
  def of(fun) do
    {:ok, fun.()}
  catch
    :error, {:exception, reason, _stack} -> {:error, {:exception, reason}}
    kind, reason -> {kind, reason}
  end

  @doc "Messages that lie in the mailbox of the caller, oldest first; takes them out."
  def flush do
    receive do
      message -> [message | flush()]
    after
      0 -> []
    end
  end
end
