defmodule Gallery.RestartWindow do
  use Gallery.Program,
    kind: :lifecycle,
    bug: "a client calls a server by its name while the supervisor restarts it",
    fails: :exit

  defmodule Prices do
    use GenServer

    def start_link(_), do: GenServer.start_link(__MODULE__, nil, name: __MODULE__)
    def init(_), do: {:ok, %{tea: 10}}
    def handle_call(item, _from, prices), do: {:reply, prices[item], prices}
    def handle_cast(:reload, _prices), do: exit(:shutdown)
  end

  def buggy, do: restart(fn -> GenServer.call(Prices, :tea) end)
  def fixed, do: restart(&price/0)

  defp price do
    GenServer.call(Prices, :tea)
  catch
    :exit, _ ->
      Process.sleep(1)
      price()
  end

  defp restart(price) do
    {:ok, _supervisor} = Supervisor.start_link([Prices], strategy: :one_for_one)
    reload = Task.async(fn -> GenServer.cast(Prices, :reload) end)
    assert price.() == 10
    Task.await(reload)
  end
end
