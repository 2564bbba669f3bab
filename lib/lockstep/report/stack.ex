defmodule Lockstep.Report.Stack do
  @moduledoc false
  # Stack traces as the user knows the code: without Lockstep's own frames, and without what `Lockstep.Case` adds.

  alias Lockstep.Runtime.Place

  # The parts of Lockstep that run below the user's code.
  @internal ~w(Runtime Simulation Runner Case Instrument Native Cluster Compat)
  @overridable ~r/ \(overridable \d+\)/

  @doc "Removes the frames of Lockstep and of what called it."
  @spec prune(Exception.stacktrace() | nil) :: Exception.stacktrace()
  def prune(nil), do: []

  def prune(trace) do
    trace
    |> cut_below_test()
    |> Enum.reject(&internal?/1)
    |> Enum.map(&original_name/1)
  end

  # What lies below the user's code: `__lockstep__` and `__ex_unit__` are where `Lockstep.Case` enters it.
  defp cut_below_test([]), do: []
  defp cut_below_test([{ExUnit.Runner, _fun, _arity, _location} | _]), do: []

  defp cut_below_test([frame | trace]) do
    if entry?(frame), do: [], else: [frame | cut_below_test(trace)]
  end

  defp entry?({_module, function, _arity, _location}) do
    String.starts_with?(Atom.to_string(function), ["__lockstep__", "__ex_unit__"])
  end

  defp entry?(_fun_frame), do: false

  defp internal?({ExUnit.Assertions, _fun, _arity, _location}), do: true

  defp internal?({module, _fun, _arity, _location}) do
    case Atom.to_string(module) do
      "Elixir.Lockstep" -> true
      "Elixir.Lockstep." <> rest -> hd(String.split(rest, ".")) in @internal
      _ -> false
    end
  end

  defp internal?(_fun_frame), do: false

  defp original_name({module, function, arity, location} = frame) do
    name = Atom.to_string(function)
    plain = String.replace(name, @overridable, "")
    # The plain name of an overridden function is that of its override: the atom exists.
    if plain == name, do: frame, else: {module, existing_atom(plain, function), arity, location}
  end

  defp original_name(frame), do: frame

  defp existing_atom(text, default) do
    String.to_existing_atom(text)
  rescue
    ArgumentError -> default
  end

  @doc """
  The frames of the program, each with the library's function that it has called; all where none is the program's.
  """
  @spec of_program(Exception.stacktrace()) :: Exception.stacktrace()
  def of_program(trace) do
    kept =
      for {frame, below} <- Enum.zip(trace, Enum.drop(trace, 1) ++ [nil]),
          program?(frame) or program?(below),
          do: frame

    if kept == [], do: trace, else: kept
  end

  @doc "Whether a frame is the program's, and not that of a library of OTP's or Elixir's."
  @spec program?(tuple() | nil) :: boolean()
  def program?(nil), do: false
  def program?({module, _function, _arity, _location}), do: not Place.delivered?(:code.which(module))
  def program?(_fun_frame), do: true

  @doc "The frames, one a line, each after `indent`."
  @spec format(Exception.stacktrace(), String.t()) :: String.t()
  def format(trace, indent), do: Enum.map_join(trace, "\n", &(indent <> Exception.format_stacktrace_entry(&1)))

  @doc "An exit reason, without Lockstep's frames where it holds a stack trace."
  @spec format_exit(term()) :: String.t()
  def format_exit({reason, [{_, _, _, _} | _] = trace}) do
    if Enum.all?(trace, &match?({_, _, _, _}, &1)) do
      Exception.format_exit({reason, prune(trace)})
    else
      Exception.format_exit({reason, trace})
    end
  end

  def format_exit(reason), do: Exception.format_exit(reason)
end
