defmodule Lockstep.Runner.Ledger do
  @moduledoc false
  # Who has to run which seeds, and what has come of it.
  #
  # Seeds are known by their places in the sweep and handed out as chunks of neighbours. A chunk that comes back is put
  # together with its neighbours, so that there are never more accounts than gaps between them. What is wanted in the end
  # is the account of all places up to the first that failed, whoever has come to which place when.

  alias Lockstep.Runner.{Account, Part}

  @enforce_keys [:left, :next, :count, :done]
  defstruct @enforce_keys ++ [:finding, returned: []]

  @typedoc "The place of its first seed, and the seeds."
  @type chunk :: {place :: non_neg_integer(), Part.seeds()}

  @type t :: %__MODULE__{
          left: Part.seeds(),
          next: non_neg_integer(),
          count: non_neg_integer(),
          done: [{from :: non_neg_integer(), to :: non_neg_integer(), Account.t()}],
          finding: {place :: non_neg_integer(), Part.finding()} | nil,
          returned: [chunk()]
        }

  @doc "Nothing is done yet, and `account` is where the sum begins."
  @spec new(Part.seeds(), Account.t()) :: t()
  def new(seeds, account), do: %__MODULE__{left: seeds, next: 0, count: Enum.count(seeds), done: [{0, 0, account}]}

  @doc "How many seeds nobody has been given yet."
  @spec left(t()) :: non_neg_integer()
  def left(ledger), do: ledger.count - ledger.next

  @doc "Hands out a chunk of at most `size` seeds, or `nil` if none is wanted any more."
  @spec take(t(), pos_integer()) :: {chunk() | nil, t()}
  def take(%{returned: [chunk | returned]} = ledger, _size), do: {chunk, %{ledger | returned: returned}}
  def take(%{finding: finding} = ledger, _size) when finding != nil, do: {nil, ledger}
  def take(%{next: count, count: count} = ledger, _size), do: {nil, ledger}

  def take(ledger, size) do
    size = min(size, left(ledger))
    {seeds, left} = split(ledger.left, size)
    {{ledger.next, seeds}, %{ledger | left: left, next: ledger.next + size}}
  end

  defp split(%Range{first: first, last: last, step: step}, size) do
    middle = first + size * step
    {first..(middle - step)//step, middle..last//step}
  end

  defp split(seeds, size), do: Enum.split(seeds, size)

  @doc "Takes a chunk back that has not been run."
  @spec give_back(t(), chunk()) :: t()
  def give_back(ledger, {place, _seeds} = chunk) do
    if wanted?(ledger, place), do: %{ledger | returned: Enum.sort([chunk | ledger.returned])}, else: ledger
  end

  @doc "Enters what the chunk at `place` has come to: its account, and the run at its end if that failed."
  @spec enter(t(), non_neg_integer(), Account.t(), Part.finding() | nil) :: t()
  def enter(ledger, place, account, finding) do
    if wanted?(ledger, place) do
      to = place + account.runs
      ledger = found(ledger, to - 1, finding)
      %{ledger | done: put(ledger.done, {place, to, account})}
    else
      ledger
    end
  end

  defp found(ledger, _place, nil), do: ledger

  # What comes after it is as if it had never been run.
  defp found(ledger, place, finding) do
    wanted? = fn part -> elem(part, 0) <= place end

    %{
      ledger
      | finding: {place, finding},
        done: Enum.filter(ledger.done, wanted?),
        returned: Enum.filter(ledger.returned, wanted?)
    }
  end

  defp wanted?(%{finding: nil}, _place), do: true
  defp wanted?(%{finding: {failed, _finding}}, place), do: place < failed

  defp put([{from, to, account} | more], {to, _, _} = part), do: more |> put(join({from, to, account}, part))
  defp put([{from, _, _} | _] = done, {_, to, _} = part) when to < from, do: [part | done]
  defp put([{to, _, _} = next | more], {_, to, _} = part), do: [join(part, next) | more]
  defp put([before | more], part), do: [before | put(more, part)]
  defp put([], part), do: [part]

  defp join({from, to, one}, {to, last, other}), do: {from, last, Account.merge(one, other)}

  @doc "The place from which on nothing is wanted."
  @spec limit(t()) :: non_neg_integer()
  def limit(%{finding: nil, count: count}), do: count
  def limit(%{finding: {place, _finding}}), do: place + 1

  @doc "Whether all that is wanted has been entered."
  @spec complete?(t()) :: boolean()
  def complete?(%{done: [{0, to, _account} | _]} = ledger), do: to == limit(ledger)

  @doc "The account of all seeds from the first on that have been entered without a gap."
  @spec account(t()) :: Account.t()
  def account(%{done: [{0, _to, account} | _]}), do: account
end
