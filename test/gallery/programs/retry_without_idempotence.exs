defmodule Gallery.RetryWithoutIdempotence do
  use Gallery.Program,
    kind: :distribution,
    bug: "a deposit whose answer is late is sent again, and made twice"

  alias Lockstep.Cluster

  defmodule Account do
    use Lockstep
    use GenServer

    def start_link, do: GenServer.start_link(__MODULE__, nil, name: __MODULE__)
    def init(_), do: {:ok, %{balance: 0, done: MapSet.new()}}
    def handle_call(:balance, _from, state), do: {:reply, state.balance, state}

    def handle_call({:deposit, id, amount}, _from, state) do
      if id != nil and id in state.done,
        do: {:reply, :ok, state},
        else: {:reply, :ok, %{balance: state.balance + amount, done: MapSet.put(state.done, id)}}
    end
  end

  def buggy, do: deposit(nil)
  def fixed, do: deposit(:order_4711)

  defp deposit(id) do
    Cluster.start_nodes([:bank], start: fn -> {:ok, _} = Account.start_link() end)
    Cluster.start_nodes([:shop])
    Cluster.run(:shop, fn -> pay(id, 10) end)
    assert GenServer.call({Account, :bank}, :balance) == 10
  end

  defp pay(id, amount) do
    GenServer.call({Account, :bank}, {:deposit, id, amount}, 50)
  catch
    :exit, {:timeout, _call} -> pay(id, amount)
  end
end
