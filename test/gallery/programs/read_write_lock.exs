defmodule Gallery.ReadWriteLock do
  use Gallery.Program,
    kind: :liveness,
    bug: "two readers wait for each other to stop reading, so that they can write",
    fails: Lockstep.DeadlockError

  defmodule Lock do
    use GenServer

    def init(_), do: {:ok, {[], []}}
    def handle_call(:read, {reader, _tag}, {readers, writers}), do: {:reply, :ok, {[reader | readers], writers}}
    def handle_call(:write, from, {readers, writers}), do: {:noreply, next({readers, writers ++ [from]})}

    def handle_call(:done, {holder, _tag}, {readers, writers}),
      do: {:reply, :ok, next({List.delete(readers, holder), writers})}

    # Who reads itself may go on to write. A writer counts as a reader until it is done.
    defp next({readers, [{pid, _tag} = writer | writers]}) when readers in [[], [pid]] do
      GenServer.reply(writer, :ok)
      {[pid], writers}
    end

    defp next(state), do: state
  end

  def buggy, do: refresh(fn _lock -> :ok end)
  def fixed, do: refresh(fn lock -> GenServer.call(lock, :done) end)

  defp refresh(before_writing) do
    {:ok, lock} = GenServer.start_link(Lock, nil)
    table = :ets.new(:prices, [:public])
    together(for _ <- 1..2, do: fn -> read(lock, table, before_writing) end)
    assert :ets.tab2list(table) == [tea: 10]
  end

  defp read(lock, table, before_writing) do
    :ok = GenServer.call(lock, :read)

    if :ets.lookup(table, :tea) == [] do
      before_writing.(lock)
      :ok = GenServer.call(lock, :write, :infinity)
      :ets.insert(table, {:tea, 10})
    end

    :ok = GenServer.call(lock, :done)
  end
end
