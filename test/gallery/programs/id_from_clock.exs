defmodule Gallery.IdFromClock do
  use Gallery.Program,
    kind: :time,
    bug:
      "ids are the time and a number that begins anew when the time changes: a clock that goes back gives them twice"

  alias Lockstep.Cluster

  defmodule Ids do
    use Lockstep
    use GenServer

    def start_link(next), do: GenServer.start_link(__MODULE__, next, name: __MODULE__)
    def init(next), do: {:ok, {next, {0, 0}}}

    def handle_call(:next, _from, {next, last}) do
      id = next.(last, System.system_time(:millisecond))
      {:reply, id, {next, id}}
    end
  end

  def buggy do
    take_ids(fn
      {now, n}, now -> {now, n + 1}
      _last, now -> {now, 0}
    end)
  end

  def fixed do
    take_ids(fn
      {last, n}, now when now <= last -> {last, n + 1}
      _last, now -> {now, 0}
    end)
  end

  defp take_ids(next) do
    Cluster.start_nodes([:a], start: fn -> {:ok, _} = Ids.start_link(next) end)
    [ids, _] = together([fn -> for(_ <- 1..5, do: take_id()) end, &set_clock/0])
    assert ids == Enum.uniq(ids)
  end

  defp take_id do
    Process.sleep(5)
    GenServer.call({Ids, :a}, :next)
  end

  defp set_clock do
    Process.sleep(Enum.random(0..20))
    Cluster.set_clock(:a, jump: -Enum.random(0..20))
  end
end
