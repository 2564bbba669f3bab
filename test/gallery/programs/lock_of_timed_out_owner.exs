defmodule Gallery.LockOfTimedOutOwner do
  use Gallery.Program, kind: :time, bug: "who has lost a lock by its lease releases it, when it has another owner"

  defmodule Lock do
    use GenServer

    def init(owner?), do: {:ok, %{owner: nil, queue: :queue.new(), owner?: owner?}}

    def handle_call({:acquire, lease}, from, state),
      do: {:noreply, next(update_in(state.queue, &:queue.in({from, lease}, &1)))}

    def handle_call({:release, token}, _from, state) do
      if state.owner?.(token, state.owner), do: {:reply, :ok, next(%{state | owner: nil})}, else: {:reply, :ok, state}
    end

    def handle_info({:expired, token}, %{owner: token} = state), do: {:noreply, next(%{state | owner: nil})}
    def handle_info({:expired, _token}, state), do: {:noreply, state}

    defp next(%{owner: nil} = state) do
      case :queue.out(state.queue) do
        {{:value, {from, lease}}, queue} -> grant(%{state | queue: queue}, from, lease)
        {:empty, _} -> state
      end
    end

    defp next(state), do: state

    defp grant(state, from, lease) do
      token = make_ref()
      Process.send_after(self(), {:expired, token}, lease)
      GenServer.reply(from, token)
      %{state | owner: token}
    end
  end

  def buggy, do: locked(fn _token, _owner -> true end)
  def fixed, do: locked(fn token, owner -> token == owner end)

  # The first may lose the lock while it works. The two others have all the time that they need.
  defp locked(owner?) do
    {:ok, lock} = GenServer.start_link(Lock, owner?)
    inside = :counters.new(1, [])

    [_ | alone] =
      together([
        fn -> hold(lock, 50, fn -> true end) end
        | for(_ <- 1..2, do: fn -> hold(lock, 60_000, fn -> alone?(inside) end) end)
      ])

    assert alone == [true, true]
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
