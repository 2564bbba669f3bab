defmodule Gallery.PoolCheckout do
  use Gallery.Program,
    kind: :time,
    bug: "a pool gives its connection to a client that is just giving up, and never gets it back",
    fails: Lockstep.DeadlockError

  defmodule Pool do
    use GenServer

    def init(take_back?), do: {:ok, {nil, [], take_back?}}
    def handle_call({:checkout, ref}, _from, {nil, [], take_back?}), do: {:reply, :ok, {ref, [], take_back?}}

    def handle_call({:checkout, ref}, from, {user, line, take_back?}),
      do: {:noreply, {user, line ++ [{ref, from}], take_back?}}

    def handle_cast({:checkin, ref}, {ref, line, take_back?}), do: {:noreply, next(line, take_back?)}
    def handle_cast({:give_up, ref}, {ref, line, true}), do: {:noreply, next(line, true)}

    def handle_cast({:give_up, ref}, {user, line, take_back?}) do
      {:noreply, {user, List.keydelete(line, ref, 0), take_back?}}
    end

    defp next([], take_back?), do: {nil, [], take_back?}

    defp next([{ref, from} | line], take_back?) do
      GenServer.reply(from, :ok)
      {ref, line, take_back?}
    end
  end

  def buggy, do: clients(false)
  def fixed, do: clients(true)

  defp clients(take_back?) do
    {:ok, pool} = GenServer.start_link(Pool, take_back?)
    together(for _ <- 1..2, do: fn -> query(pool, 50) end)
    assert query(pool, :infinity) == :ok
  end

  defp query(pool, patience) do
    ref = make_ref()

    try do
      :ok = GenServer.call(pool, {:checkout, ref}, patience)
      GenServer.cast(pool, {:checkin, ref})
    catch
      :exit, {:timeout, _} -> GenServer.cast(pool, {:give_up, ref})
    end
  end
end
