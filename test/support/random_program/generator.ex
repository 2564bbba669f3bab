defmodule RandomProgram.Generator do
  @moduledoc false
  # Random programs, by PropEr, and smaller ones that a program can be shrunk to.

  alias :proper_types, as: Types

  @doc "The program with this number: always the same."
  @spec program(pos_integer()) :: RandomProgram.t()
  def program(number) do
    {:ok, program} = :proper_gen.pick(programs(), 8, {number, 4711, 815})
    program
  end

  defp programs do
    Types.oneof(for count <- [2, 2, 3], do: Types.fixed_list(List.duplicate(script(count), count)))
  end

  defp script(count), do: bounded(instruction(count))

  # Up to seven instructions: outcomes have to be few enough to be seen.
  defp bounded(type), do: Types.oneof(for length <- 1..7, do: Types.vector(length, type))

  defp instruction(count) do
    process = Types.integer(0, count - 1)
    tag = Types.oneof([:x, :y])
    name = Types.integer(0, 1)
    key = Types.oneof([:k, :l])
    reason = Types.oneof([:normal, :kill, :shutdown, :boom])
    how = Types.oneof([:plain, :link, :monitor])
    time = Types.oneof([0, :long])
    options = Types.oneof([[], [:flush], [:info], [:flush, :info]])

    Types.weighted_union([
      {6, {:send, process, tag}},
      {2, {:send_name, name, tag}},
      {5, {:await, tag, time}},
      {3, {:take, time}},
      {2, :mailbox},
      {3, {:link, process}},
      {1, {:unlink, process}},
      {1, {:exit, reason}},
      {1, {:crash, :oops}},
      {2, {:signal, process, reason}},
      {3, {:trap, Types.boolean()}},
      {1, {:alive, process}},
      {2, {:register, name}},
      {1, {:unregister, name}},
      {1, {:whereis, name}},
      {1, {:put, key, tag}},
      {1, :dictionary},
      {1, {:insert, key, 1}},
      {1, {:lookup, key}},
      {1, {:remove, key}},
      {1, {:count, key}},
      {1, :links},
      {1, :monitors},
      {3, {:monitor, process}},
      {1, {:monitor_name, name}},
      {2, {:demonitor, options}},
      {1, {:timer, tag, Types.oneof([0, 5])}},
      {1, :cancel},
      {2, {:spawn, how, reason}}
    ])
  end

  @doc """
  The difference that the smallest program shows: none of its instructions can be left out.

  `difference` gives that of a program, or nil.
  """
  @spec shrink(%{program: RandomProgram.t()}, (RandomProgram.t() -> map() | nil)) :: map()
  def shrink(%{program: program} = found, difference) do
    case Enum.find_value(smaller(program), difference) do
      nil -> found
      smaller -> shrink(smaller, difference)
    end
  end

  defp smaller(program) do
    for {script, process} <- Enum.with_index(program), place <- 0..(length(script) - 1)//1 do
      List.replace_at(program, process, List.delete_at(script, place))
    end
  end
end
