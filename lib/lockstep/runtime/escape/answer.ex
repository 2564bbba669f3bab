defmodule Lockstep.Runtime.Escape.Answer do
  @moduledoc false
  # Questions about the outside world whose answer is known without asking it: there is nothing where simulated nodes have
  # nothing (`Diskless`), and a table on disk that the run has not opened is not open. So they are no escapes.

  alias Lockstep.Runtime.Applications.Diskless
  alias Lockstep.Runtime.{Context, Notebook}

  @of_files [:delete, :list_dir, :make_dir, :open, :read_file, :read_file_info, :write_file]

  @doc "The answer to a call, if it is known."
  @spec find(Context.t(), module(), atom(), [term()]) :: {:known, term()} | :unknown
  def find(_ctx, :file, function, [name | _]) when function in @of_files do
    if Diskless.nowhere?(name), do: {:known, {:error, :enoent}}, else: :unknown
  end

  def find(_ctx, :filelib, :is_regular, [name]) do
    if Diskless.nowhere?(name), do: {:known, false}, else: :unknown
  end

  def find(ctx, :dets, :info, [_table | _]), do: if(opened_any?(ctx), do: :unknown, else: {:known, :undefined})
  def find(_ctx, _module, _function, _args), do: :unknown

  # To open one is an escape, and so has been counted.
  defp opened_any?(ctx),
    do: Enum.any?(Notebook.all(ctx.store, :escaped), &match?({{:dets, :open_file, _, _}, _count}, &1))
end
