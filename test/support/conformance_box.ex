defmodule Conformance.Box do
  @moduledoc false
  # A map in an agent, behind every protocol and behaviour by which pure code of Elixir calls a program's own. In a file
  # of its own: instrumented as an application's module is, as a copy.

  @behaviour Access

  defstruct [:pid]

  def new(map) do
    {:ok, pid} = Agent.start_link(fn -> map end)
    %__MODULE__{pid: pid}
  end

  def content(%{pid: pid}), do: Agent.get(pid, & &1)

  @impl Access
  def fetch(%{pid: pid}, key), do: Agent.get(pid, &Map.fetch(&1, key))

  @impl Access
  def get_and_update(%{pid: pid} = box, key, fun),
    do: {Agent.get_and_update(pid, &Map.get_and_update(&1, key, fun)), box}

  @impl Access
  def pop(%{pid: pid} = box, key), do: {Agent.get_and_update(pid, &Map.pop(&1, key)), box}

  def compare(one, other) do
    case {content(one).size, content(other).size} do
      {same, same} -> :eq
      {less, more} when less < more -> :lt
      _ -> :gt
    end
  end

  def me(_), do: self()

  def local(number), do: fn -> number end
end

defimpl String.Chars, for: Conformance.Box do
  def to_string(box), do: "box of #{Conformance.Box.content(box).size}"
end

defimpl Inspect, for: Conformance.Box do
  def inspect(box, _opts), do: "#Box<#{Conformance.Box.content(box).size}>"
end

defimpl Enumerable, for: Conformance.Box do
  def count(_), do: {:error, __MODULE__}
  def member?(_, _), do: {:error, __MODULE__}
  def slice(_), do: {:error, __MODULE__}
  def reduce(box, acc, fun), do: box |> Conformance.Box.content() |> Enum.sort() |> Enumerable.List.reduce(acc, fun)
end

defimpl Collectable, for: Conformance.Box do
  def into(box), do: {box, &collect/2}

  defp collect(%{pid: pid} = box, {:cont, {key, value}}) do
    Agent.update(pid, &Map.put(&1, key, value))
    box
  end

  defp collect(box, :done), do: box
  defp collect(_box, :halt), do: :ok
end

defmodule Conformance.Box.Error do
  @moduledoc false
  defexception [:box]

  def message(%{box: box}), do: "no room in the #{box}"
end
