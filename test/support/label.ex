defmodule Label do
  @moduledoc false
  # A program's own implementations of protocols and behaviours that Elixir's library calls; each tells who runs it.
  @behaviour Access
  defstruct [:to]

  @impl Access
  def fetch(label, key), do: {:ok, tap({key, self()}, &send(label.to, {:fetched, &1}))}
  @impl Access
  def get_and_update(label, _key, _fun), do: {nil, label}
  @impl Access
  def pop(label, _key), do: {nil, label}

  defimpl String.Chars do
    def to_string(label) do
      send(label.to, {:to_string, self()})
      "label"
    end
  end

  defimpl List.Chars do
    def to_charlist(label) do
      send(label.to, {:to_charlist, self()})
      ~c"label"
    end
  end
end
