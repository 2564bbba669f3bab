defmodule Lockstep.Shrink.Minimize do
  @moduledoc false
  # Smaller inputs that still do what is wanted. Nothing here knows of runs.
  #
  # `test` is given what is left and a state, and answers `{wanted?, state}`; the state is handed on from test to test.

  @type test(item, state) :: ([item], state -> {boolean(), state})

  @doc """
  Leaves out what can be left out: in the result, which is wanted as `items` are, no single item can be.

  Delta debugging (Zeller and Hildebrandt, IEEE TSE 2002), by leaving parts out only: large ones first, then ever smaller
  ones. Parts are tried from the last to the first, since what happens late in a run matters to less.
  """
  @spec ddmin([item], state, test(item, state)) :: {[item], state} when item: term(), state: term()
  def ddmin([], state, _test), do: {[], state}
  def ddmin(items, state, test), do: pass(items, max(div(length(items), 2), 1), state, test)

  # Leaving a part out can make another superfluous that was tried before.
  defp pass(items, size, state, test) do
    {left, state} = items |> chunks(size) |> leave_out([], state, test)

    cond do
      left == [] -> {[], state}
      size > 1 -> pass(left, min(div(size, 2), length(left)), state, test)
      length(left) < length(items) -> pass(left, 1, state, test)
      true -> {left, state}
    end
  end

  # The parts in front in reverse, and those behind that stay.
  defp chunks(items, size), do: items |> Enum.chunk_every(size) |> Enum.reverse()

  defp leave_out([], kept, state, _test), do: {kept, state}

  defp leave_out([part | in_front], kept, state, test) do
    without = Enum.reduce(in_front, kept, &(&1 ++ &2))

    case test.(without, state) do
      {true, state} -> leave_out(in_front, kept, state, test)
      {false, state} -> leave_out(in_front, part ++ kept, state, test)
    end
  end

  @doc "The smallest number from `low` to `high` that is wanted, as far as bisecting finds it; `high` is known to be."
  @spec least(non_neg_integer(), non_neg_integer(), state, (non_neg_integer(), state -> {boolean(), state})) ::
          {non_neg_integer(), state}
        when state: term()
  def least(low, high, state, _test) when low >= high, do: {high, state}

  def least(low, high, state, test) do
    middle = div(low + high, 2)

    case test.(middle, state) do
      {true, state} -> least(low, middle, state, test)
      {false, state} -> least(middle + 1, high, state, test)
    end
  end
end
