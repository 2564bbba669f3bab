defmodule Lockstep.Runtime.Boot do
  @moduledoc false
  # How the VM was started: simulated nodes were started without any arguments, but for those that every node has.

  alias Lockstep.Runtime.Context

  # Where OTP is, by which program the VM was started, and the user's home. They are those of the one VM, as `:code.root_dir/0`
  # and the environment variables are; without the first `:sasl` does not start.
  @always [:root, :progname, :home]

  @doc "`:init.get_argument/1`."
  @spec get_argument(atom()) :: {:ok, [[charlist()]]} | :error
  def get_argument(flag) do
    if Context.inside?() and flag not in @always, do: :error, else: :init.get_argument(flag)
  end

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
