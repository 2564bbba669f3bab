defmodule Oracle.Normal do
  @moduledoc false
  # An observation without what differs from run to run: pids are named after their nodes, references and functions are
  # all alike, names of nodes lose their host.

  def form(pid) when is_pid(pid), do: {:pid, form(node(pid))}
  def form(reference) when is_reference(reference), do: :reference
  def form(port) when is_port(port), do: :port
  def form(fun) when is_function(fun), do: :function
  def form(atom) when is_atom(atom), do: short(atom)
  def form([head | tail]), do: [form(head) | form(tail)]
  def form(tuple) when is_tuple(tuple), do: tuple |> Tuple.to_list() |> form() |> List.to_tuple()
  def form(%_struct{} = struct), do: struct |> Map.from_struct() |> form()
  def form(map) when is_map(map), do: Map.new(map, fn {key, value} -> {form(key), form(value)} end)
  def form(other), do: other

  defp short(atom) do
    case String.split(Atom.to_string(atom), "@127.0.0.1") do
      [name, ""] -> String.to_atom(name)
      _ -> atom
    end
  end
end
