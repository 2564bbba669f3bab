defmodule Gallery.BoundedBuffer do
  use Gallery.Program,
    kind: :liveness,
    bug: "producers and consumers wait in one line, and a change wakes only the first, who may not be able to use it",
    fails: Lockstep.DeadlockError

  defmodule Buffer do
    use GenServer

    def init(woken), do: {:ok, {:empty, [], woken}}

    def handle_call({:put, item}, _from, {:empty, waiting, woken}),
      do: {:reply, :ok, changed({:full, item}, waiting, woken)}

    def handle_call(:take, _from, {{:full, item}, waiting, woken}),
      do: {:reply, {:ok, item}, changed(:empty, waiting, woken)}

    def handle_call(_request, {client, _tag}, {content, waiting, woken}) do
      {:reply, :wait, {content, waiting ++ [client], woken}}
    end

    defp changed(content, waiting, woken) do
      {now, later} = Enum.split(waiting, woken)
      Enum.each(now, &send(&1, :try_again))
      {content, later, woken}
    end
  end

  def buggy, do: exchange(1)
  def fixed, do: exchange(100)

  defp exchange(woken) do
    {:ok, buffer} = GenServer.start_link(Buffer, woken)
    producers = for item <- [:tea, :milk], do: fn -> ask(buffer, {:put, item}) end
    consumers = for _ <- 1..2, do: fn -> ask(buffer, :take) end
    assert [:ok, :ok, {:ok, one}, {:ok, other}] = together(producers ++ consumers)
    assert Enum.sort([one, other]) == [:milk, :tea]
  end

  defp ask(buffer, request) do
    with :wait <- GenServer.call(buffer, request) do
      receive do: (:try_again -> ask(buffer, request))
    end
  end
end
