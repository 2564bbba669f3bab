defmodule Gallery.VoteOfOldTerm do
  use Gallery.Program,
    kind: :time,
    bug: "a vote that comes late is counted in the next term, in which its voter has voted for another"

  alias Lockstep.Cluster

  defmodule Voter do
    use Lockstep
    use GenServer

    def start_link, do: GenServer.start_link(__MODULE__, %{}, name: __MODULE__)
    def init(votes), do: {:ok, votes}

    # One vote a term: the first to ask has it.
    def handle_info({:vote, term, candidate}, votes) do
      votes = Map.put_new(votes, term, candidate)
      if votes[term] == candidate, do: send(candidate, {:granted, term, node()})
      {:noreply, votes}
    end
  end

  @nodes [:a, :b, :c]

  def buggy, do: election(fn _granted, _term -> true end)
  def fixed, do: election(fn granted, term -> granted == term end)

  defp election(counts?) do
    Cluster.start_nodes(@nodes, start: fn -> {:ok, _} = Voter.start_link() end)
    Cluster.set_latency(10..30)
    terms = together(for node <- [:a, :b], do: fn -> Cluster.run(node, fn -> elected(1, counts?) end) end)

    assert [nil] == Enum.uniq(terms) or terms == Enum.uniq(terms)
  end

  # The term in which this node becomes the leader.
  defp elected(3, _counts?), do: nil

  defp elected(term, counts?) do
    for node <- @nodes, do: send({Voter, node}, {:vote, term, self()})
    deadline = System.monotonic_time(:millisecond) + Enum.random(20..40)

    if votes(term, counts?, deadline, MapSet.new()) >= 2,
      do: term,
      else: elected(term + 1, counts?)
  end

  defp votes(term, counts?, deadline, votes) do
    receive do
      {:granted, granted, voter} ->
        if counts?.(granted, term),
          do: votes(term, counts?, deadline, MapSet.put(votes, voter)),
          else: votes(term, counts?, deadline, votes)
    after
      max(deadline - System.monotonic_time(:millisecond), 0) -> MapSet.size(votes)
    end
  end
end
