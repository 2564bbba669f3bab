defmodule Lockstep.Runtime.Boot do
  @moduledoc false
  # How the VM was started: simulated nodes were started without any arguments.

  alias Lockstep.Runtime.Context

  @doc "`:init.get_argument/1`."
  @spec get_argument(atom()) :: {:ok, [[charlist()]]} | :error
  def get_argument(flag), do: if(Context.inside?(), do: :error, else: :init.get_argument(flag))

  @doc "`:init.get_arguments/0`."
  @spec get_arguments() :: [{atom(), [charlist()]}]
  def get_arguments, do: if(Context.inside?(), do: [], else: :init.get_arguments())

  @doc "`:init.get_plain_arguments/0`."
  @spec get_plain_arguments() :: [charlist()]
  def get_plain_arguments, do: if(Context.inside?(), do: [], else: :init.get_plain_arguments())

  @doc "`:init.run_on_load_handlers/0`: the VM has run them."
  @spec run_on_load_handlers() :: :ok
  def run_on_load_handlers, do: if(Context.inside?(), do: :ok, else: apply(:init, :run_on_load_handlers, []))
end
