defmodule Gallery.IdReuse do
  use Gallery.Program,
    kind: :time,
    bug: "the number of a request that was given up is used again, and gets the old answer"

  defmodule Connection do
    use GenServer

    def init(next_id), do: {:ok, {%{}, 0, next_id}}

    def handle_call({:ask, server, key, patience}, from, {pending, last, next_id}) do
      id = next_id.(pending, last)
      send(server, {:get, self(), id, key})
      Process.send_after(self(), {:give_up, id, from}, patience)
      {:noreply, {Map.put(pending, id, from), id, next_id}}
    end

    def handle_info({:give_up, id, from}, {pending, last, next_id}) do
      if pending[id] == from,
        do: {:noreply, answer(:timeout, id, {pending, last, next_id})},
        else: {:noreply, {pending, last, next_id}}
    end

    def handle_info({:value, id, value}, state), do: {:noreply, answer(value, id, state)}

    defp answer(value, id, {pending, last, next_id}) do
      {from, pending} = Map.pop(pending, id)
      if from, do: GenServer.reply(from, value)
      {pending, last, next_id}
    end
  end

  def buggy, do: questions(fn pending, _last -> Enum.find(1..10, &(not Map.has_key?(pending, &1))) end)
  def fixed, do: questions(fn _pending, last -> last + 1 end)

  defp questions(next_id) do
    {:ok, connection} = GenServer.start_link(Connection, next_id)
    server = spawn_link(&serve/0)
    GenServer.call(connection, {:ask, server, :tea, 50}, :infinity)
    assert GenServer.call(connection, {:ask, server, :milk, 60_000}, :infinity) == {:ok, :milk}
  end

  defp serve do
    receive do: ({:get, client, id, key} -> send(client, {:value, id, {:ok, key}}))
    serve()
  end
end
