defmodule Walk do
  @moduledoc false
  # Something enumerable that tells a process of every element it gives out.
  defstruct [:to, :last]

  @doc "A closure; made outside of a run it is made by code that is not instrumented."
  def closure, do: fn -> :compiled end

  defimpl Enumerable do
    def count(_walk), do: {:error, __MODULE__}
    def member?(_walk, _element), do: {:error, __MODULE__}
    def slice(_walk), do: {:error, __MODULE__}

    def reduce(walk, acc, fun) do
      Enumerable.reduce(1..walk.last, acc, fn n, acc ->
        send(walk.to, {:walked, n, self()})
        fun.(n, acc)
      end)
    end
  end
end
