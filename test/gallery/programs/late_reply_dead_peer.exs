defmodule Gallery.LateReplyDeadPeer do
  use Gallery.Program,
    kind: :order,
    bug: "the answer to a health check arrives after the peer's death, and adds it again"

  defmodule Members do
    use GenServer

    def init({observer, put}), do: {:ok, {%{}, observer, put}}

    def handle_call(:all, _from, {loads, _, _} = state), do: {:reply, Map.keys(loads), state}

    def handle_call({:join, peer}, _from, {loads, observer, put}) do
      Process.monitor(peer)
      {:reply, :ok, {Map.put(loads, peer, 0), observer, put}}
    end

    def handle_cast({:load, peer, load}, {loads, observer, put}) do
      {:noreply, {put.(loads, peer, load), observer, put}}
    end

    def handle_info({:DOWN, _ref, :process, peer, _reason}, {loads, observer, put}) do
      send(observer, {:left, peer})
      {:noreply, {Map.delete(loads, peer), observer, put}}
    end
  end

  def buggy, do: members(&Map.put/3)
  def fixed, do: members(&Map.replace/3)

  defp members(put) do
    {:ok, members} = GenServer.start_link(Members, {self(), put})
    {:ok, peer} = Agent.start(fn -> 3 end)
    :ok = GenServer.call(members, {:join, peer})
    together([fn -> check(members, peer) end, fn -> Agent.stop(peer) end])
    assert_receive {:left, ^peer}
    assert GenServer.call(members, :all) == []
  end

  defp check(members, peer) do
    GenServer.cast(members, {:load, peer, Agent.get(peer, & &1)})
  catch
    :exit, _ -> :ok
  end
end
