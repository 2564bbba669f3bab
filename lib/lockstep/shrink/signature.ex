defmodule Lockstep.Shrink.Signature do
  @moduledoc false
  # How a run failed, in a form that does not depend on the schedule: two runs with the same signature fail the same way.
  #
  # Of an exception that is its class and its place; of a deadlock, who waits and where; of an exit reason its shape,
  # since pids, references and numbers differ from run to run.

  alias Lockstep.{AlwaysError, DeadlockError, EscapeError, ProcessFailure}
  alias Lockstep.Report.Stack

  # A list longer than this is told from others by being long.
  @long 8

  @typedoc "Compared, and not looked into."
  @type t :: term()

  @doc "How the run ended; `:ok` if it did not fail."
  @spec of(Lockstep.Simulation.Result.t()) :: t() | :ok
  def of(%{outcome: :ok}), do: :ok
  def of(%{outcome: {:error, error}}), do: of_error(error)

  defp of_error({:crash, kind, reason, trace}), do: {kind, shape(reason), place(trace)}
  defp of_error(%DeadlockError{processes: processes}), do: {DeadlockError, waiting(processes)}
  defp of_error(%AlwaysError{name: name}), do: {AlwaysError, name}
  defp of_error(%EscapeError{} = error), do: {EscapeError, error |> Map.from_struct() |> shape()}

  defp of_error(%ProcessFailure{process: process} = error) do
    {ProcessFailure, error.kind, process && {process.node, process.label}, shape(error.reason), error.waiting_in}
  end

  defp of_error(%module{}), do: module

  defp waiting(processes),
    do: Enum.sort(for process <- processes, do: {process.node, process.label, process.waiting_in})

  # The nearest code of the program.
  defp place([frame | _] = trace) when is_tuple(frame) do
    with [{module, function, arguments, location} | _] <- Stack.prune(trace) do
      arity = if is_list(arguments), do: length(arguments), else: arguments
      {module, function, arity, location[:file], location[:line]}
    end
  end

  defp place(_no_trace), do: []

  defp shape(%module{} = exception) when is_exception(exception), do: module
  defp shape(%module{}), do: {:struct, module}

  defp shape({reason, [{module, function, _arguments, location} | _] = trace})
       when is_atom(module) and is_atom(function) and is_list(location),
       do: {shape(reason), place(trace)}

  defp shape(tuple) when is_tuple(tuple), do: {:tuple, tuple |> Tuple.to_list() |> Enum.map(&shape/1)}
  defp shape(atom) when is_atom(atom), do: atom
  defp shape(list) when is_list(list), do: if(short?(list), do: Enum.map(list, &shape/1), else: :list)
  defp shape(map) when is_map(map), do: :map
  defp shape(number) when is_number(number), do: :number
  defp shape(bits) when is_bitstring(bits), do: :bits
  defp shape(fun) when is_function(fun), do: :function
  defp shape(pid) when is_pid(pid), do: :pid
  defp shape(reference) when is_reference(reference), do: :reference
  defp shape(port) when is_port(port), do: :port

  # An improper list has no length.
  defp short?(list), do: List.improper?(list) == false and length(list) <= @long
end
