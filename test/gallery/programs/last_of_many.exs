defmodule Gallery.LastOfMany do
  use Gallery.Program,
    kind: :search,
    bug: "a subscription comes after all ten events, and the full batch finds nobody (long delay in one mailbox)"

  defmodule Batches do
    use GenServer

    def init(keep?), do: {:ok, {[], nil, keep?}}

    def handle_cast({:subscribe, client}, {batch, nil, keep?}), do: {:noreply, pass_on({batch, client, keep?})}

    def handle_cast({:event, event}, {batch, client, keep?}),
      do: {:noreply, pass_on({[event | batch], client, keep?})}

    def handle_call(:flush, _from, state), do: {:reply, :ok, state}

    defp pass_on({batch, nil, true}), do: {batch, nil, true}

    defp pass_on({batch, client, keep?}) when length(batch) == 10 do
      if client, do: send(client, {:batch, batch})
      {[], client, keep?}
    end

    defp pass_on(state), do: state
  end

  def buggy, do: batch(false)
  def fixed, do: batch(true)

  defp batch(keep?) do
    {:ok, batches} = GenServer.start_link(Batches, keep?)
    client = self()
    events = fn -> for event <- 1..10, do: GenServer.cast(batches, {:event, event}) end
    together([fn -> GenServer.cast(batches, {:subscribe, client}) end, events])
    :ok = GenServer.call(batches, :flush)
    assert_received {:batch, [10 | _]}
  end
end
