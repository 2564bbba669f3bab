defmodule Gallery.TwoLeaders do
  use Gallery.Program,
    kind: :distribution,
    bug: "a candidate leads when nobody refuses in time, instead of when a majority agrees"

  alias Lockstep.Cluster

  defmodule Voter do
    use Lockstep
    use GenServer

    def start_link, do: GenServer.start_link(__MODULE__, nil, name: __MODULE__)
    def init(vote), do: {:ok, vote}

    # One vote: the first to ask has it.
    def handle_call({:vote, candidate}, _from, nil), do: {:reply, :granted, candidate}

    def handle_call({:vote, candidate}, _from, vote),
      do: {:reply, if(vote == candidate, do: :granted, else: :refused), vote}
  end

  @nodes [:a, :b, :c]
  @timeout 60

  def buggy, do: election(fn answers -> :refused not in answers end)
  def fixed, do: election(fn answers -> Enum.count(answers, &(&1 == :granted)) > div(length(@nodes), 2) end)

  defp election(won?) do
    Cluster.start_nodes(@nodes, start: fn -> {:ok, _} = Voter.start_link() end)
    candidates = for node <- [:a, :c], do: fn -> Cluster.run(node, fn -> won?.(ask_all()) end) end
    leads = together([fn -> Cluster.partition([:a], [:b, :c]) end | candidates])
    assert Enum.count(leads, &(&1 == true)) <= 1
  end

  # What has come from the voters until the time was up.
  defp ask_all do
    {answers, _unreachable} = GenServer.multi_call(@nodes, Voter, {:vote, node()}, @timeout)
    Keyword.values(answers)
  end
end
