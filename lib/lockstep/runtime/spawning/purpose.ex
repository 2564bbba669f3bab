defmodule Lockstep.Runtime.Spawning.Purpose do
  @moduledoc false
  # What a process is started for, in a few words, from what it is started with: the module of a server, or a function.
  # Reports call processes so that have no name.

  @doc """
  The words for a call that a process begins with.

  ## Examples

      iex> Lockstep.Runtime.Spawning.Purpose.of({MyApp.Worker, :loop, [1]})
      "MyApp.Worker.loop/1"

      iex> start = [:gen_server, self(), self(), Agent.Server, fn -> 0 end, []]
      iex> Lockstep.Runtime.Spawning.Purpose.of({:proc_lib, :init_p, [self(), [], :gen, :init_it, start]})
      "Agent.Server"

  """
  @spec of({module(), atom(), [term()]} | (... -> term())) :: String.t()
  def of({:erlang, :apply, [function, []]}), do: inspect(function)
  def of({:proc_lib, :init_p, [_parent, _ancestors, function]}), do: inspect(function)

  def of({:proc_lib, :init_p, [_parent, _ancestors, :gen, :init_it, [_behaviour, _starter, _parent2 | more]]}) do
    server(more) || "gen"
  end

  def of({:proc_lib, :init_p, [_parent, _ancestors, module, function, arguments]}) do
    of({module, function, arguments})
  end

  def of({module, function, arguments}) when is_atom(module) and is_atom(function) and is_list(arguments) do
    Exception.format_mfa(module, function, length(arguments))
  end

  def of(other), do: inspect(other)

  # The name comes before the module where there is one. A supervisor is one of some module.
  defp server([:supervisor, {_name, module, _argument} | _]) when is_atom(module), do: supervisor(module)
  defp server([module, _arguments, _options]) when is_atom(module), do: inspect(module)
  defp server([_name | [_, _, _] = more]), do: server(more)
  defp server(_other), do: nil

  defp supervisor(Supervisor.Default), do: "Supervisor"
  defp supervisor(module), do: inspect(module)
end
