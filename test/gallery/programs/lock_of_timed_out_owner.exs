defmodule Gallery.LockOfTimedOutOwner do
  use Gallery.Program, kind: :time, bug: "who has lost a lock by its lease releases it, when it has another owner"

  defmodule Lock do
    use GenServer

    def init(may_release?), do: {:ok, {nil, [], may_release?}}

    def handle_call({:acquire, lease}, from, {owner, line, may?}),
      do: {:noreply, next({owner, line ++ [{from, lease}], may?})}

    def handle_call({:release, token}, _from, {owner, line, may?}) do
      {:reply, :ok, next({if(may?.(token, owner), do: nil, else: owner), line, may?})}
    end

    def handle_info({:expired, token}, {token, line, may?}), do: {:noreply, next({nil, line, may?})}
    def handle_info({:expired, _token}, state), do: {:noreply, state}

    defp next({nil, [{from, lease} | line], may?}) do
      token = make_ref()
      Process.send_after(self(), {:expired, token}, lease)
      GenServer.reply(from, token)
      {token, line, may?}
    end

    defp next(state), do: state
  end

  def buggy, do: locked(fn _token, _owner -> true end)
  def fixed, do: locked(fn token, owner -> token == owner end)

  # The first may lose the lock while it works. The two others have all the time that they need.
  defp locked(may_release?) do
    {:ok, lock} = GenServer.start_link(Lock, may_release?)
    inside = :counters.new(1, [])
    slow = fn -> hold(lock, 50, fn -> :done end) end
    others = for _ <- 1..2, do: fn -> hold(lock, 60_000, fn -> alone?(inside) end) end
    assert [:done, true, true] = together([slow | others])
  end

  defp hold(lock, lease, work) do
    token = GenServer.call(lock, {:acquire, lease}, :infinity)
    result = work.()
    :ok = GenServer.call(lock, {:release, token}, :infinity)
    result
  end

  defp alone?(inside) do
    :counters.add(inside, 1, 1)
    alone? = :counters.get(inside, 1) == 1
    :counters.sub(inside, 1, 1)
    alone?
  end
end
