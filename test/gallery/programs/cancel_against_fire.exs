defmodule Gallery.CancelAgainstFire do
  use Gallery.Program,
    kind: :time,
    bug: "a timer is cancelled when it has fired already; its message ends the next wait at once"

  defmodule Quotes do
    use GenServer

    def init(_), do: {:ok, nil}

    def handle_info({:quote, client, item}, nil) do
      Process.send_after(client, {:answer, item}, 40)
      {:noreply, nil}
    end
  end

  def buggy, do: quotes(fn _timer, _left -> :ok end)

  def fixed do
    quotes(fn
      _timer, false -> receive do: (:give_up -> :ok)
      _timer, _left -> :ok
    end)
  end

  # The second question leaves more than enough time.
  defp quotes(cancelled) do
    {:ok, quotes} = GenServer.start_link(Quotes, nil)
    ask(quotes, :tea, 50, cancelled)
    assert ask(quotes, :milk, 1000, cancelled) == :milk
  end

  defp ask(quotes, item, patience, cancelled) do
    timer = Process.send_after(self(), :give_up, patience)
    send(quotes, {:quote, self(), item})

    receive do
      {:answer, ^item} ->
        cancelled.(timer, Process.cancel_timer(timer))
        item

      :give_up ->
        :too_late
    end
  end
end
