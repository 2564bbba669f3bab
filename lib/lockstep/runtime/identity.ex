defmodule Lockstep.Runtime.Identity do
  @moduledoc false
  # Virtual pids and references.
  #
  # They are local terms with numbers that no real process or reference has, so that they look, compare, hash and sort
  # as the program expects, and the same in every VM. To the VM itself they are processes that do not exist.

  alias Lockstep.Runtime.{Context, Mailbox}

  # The reference that the process has made last, and its number: most that a process asks about are this one.
  @latest :"$lockstep_ref"
  @per_process 0x1_0000_0000
  # A pid has 15 bits for the process and 13 for the serial; serials this high are reached after 234 million spawns.
  @first_serial 7168
  @nodes 64
  @per_serial 32_000
  @max_processes @per_serial * div(8192 - @first_serial, @nodes)
  # The middle word of a reference ends in the number of the scheduler that made it; 0 is none.
  @ref_mark 0x7C000000
  @ref_middle ~c".#{@ref_mark}."
  # Above all that a process counts to.
  @table_mark 0x8000_0000

  @doc "The pid of process number `id` on the node with number `node`."
  @spec pid(non_neg_integer(), non_neg_integer()) :: pid()
  def pid(id, node) when id < @max_processes and node < @nodes do
    serial = @first_serial + node + @nodes * div(id, @per_serial)
    :erlang.list_to_pid(~c"<0." ++ digits(rem(id, @per_serial) + 1) ++ ~c"." ++ digits(serial) ++ ~c">")
  end

  def pid(_id, _node) do
    raise ArgumentError, "a run has room for #{@max_processes} processes and #{@nodes} nodes; split the test"
  end

  @doc "A reference that the run has not seen before, and its number. Counted per process, so nobody has to be asked."
  @spec new_ref(Context.t()) :: {reference(), non_neg_integer()}
  def new_ref(ctx) do
    number =
      case :erlang.get(@latest) do
        :undefined -> (ctx.id + 1) * @per_process + 1
        {_ref, number} -> number + 1
      end

    ref = ref(number)
    :erlang.put(@latest, {ref, number})
    Mailbox.made_reference(rem(number, @per_process))
    {ref, number}
  end

  @doc "Which of the caller's own references it is, from 1; 0 for any other."
  @spec count(Context.t(), reference()) :: non_neg_integer()
  def count(ctx, ref) do
    number = number(ref)
    if div(number, @per_process) == ctx.id + 1, do: rem(number, @table_mark), else: 0
  end

  @doc "A reference that is known to be that of a table, also when there is no such table any more."
  @spec new_table(Context.t()) :: {reference(), non_neg_integer()}
  def new_table(ctx) do
    {_, number} = new_ref(ctx)
    {ref(number + @table_mark), number + @table_mark}
  end

  @doc "Whether a reference is, or was, that of a table."
  @spec table?(reference()) :: boolean()
  def table?(ref), do: rem(number(ref), 2 * @table_mark) >= @table_mark

  @doc "The reference with that number."
  @spec ref(non_neg_integer()) :: reference()
  def ref(number) do
    high = digits(div(number, 0x40000))
    :erlang.list_to_ref(~c"#Ref<0." ++ high ++ @ref_middle ++ digits(rem(number, 0x40000)) ++ ~c">")
  end

  # What is made of characters by interpolation takes three times as long.
  defp digits(number), do: :erlang.integer_to_list(number)

  @doc "A virtual reference's number; 0, which no reference has, for any other."
  @spec number(reference()) :: non_neg_integer()
  def number(ref) do
    case :erlang.get(@latest) do
      {^ref, number} -> number
      _other -> read(ref)
    end
  end

  defp read(ref) do
    binary = :erlang.term_to_binary(ref)

    case binary_part(binary, byte_size(binary), -12) do
      <<low::32, @ref_mark::32, high::32>> -> high * 0x40000 + low
      _ -> 0
    end
  end
end
