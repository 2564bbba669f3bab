defmodule Lockstep.Runtime.Inspection do
  @moduledoc false
  # What `inspect/2` shows inside of runs: maps and sets in the order of their terms.
  #
  # From OTP 26 on, the entries of a small map stand in the order in which the VM has come to know their keys, if those
  # are atoms. That depends on what was loaded before.

  import Inspect.Algebra, only: [concat: 1]

  alias Lockstep.Runtime.Context

  @doc "Makes `inspect/2` of this module the one that `Kernel.inspect/2` uses."
  @spec install() :: :ok
  def install, do: Inspect.Opts.default_inspect_fun(&__MODULE__.inspect/2)

  @doc "As the protocol `Inspect` has it, in a fixed order inside of runs."
  @spec inspect(term(), Inspect.Opts.t()) :: Inspect.Algebra.t()
  def inspect(term, opts) do
    if Context.inside?(), do: in_order(term, opts), else: Inspect.inspect(term, opts)
  end

  defp in_order(%MapSet{} = set, opts) do
    concat(["MapSet.new(", Inspect.List.inspect(Enum.sort(set), %{opts | charlists: :as_lists}), ")"])
  end

  defp in_order(term, opts) do
    Inspect.inspect(term, %{opts | custom_options: Keyword.put(opts.custom_options, :sort_maps, true)})
  end
end
