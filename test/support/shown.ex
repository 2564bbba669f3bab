defmodule ShownTest.Point do
  @moduledoc false
  # A struct whose implementation of `Inspect` has an effect. Defined here, before protocols are consolidated.

  defstruct [:x, :y]

  defimpl Inspect do
    def inspect(point, _opts) do
      send(self(), {:inspected, point.x})
      receive do: ({:inspected, x} -> "#Point<#{x}>")
    end
  end
end
