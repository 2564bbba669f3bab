defmodule Gallery.AuditMissesMoney do
  use Gallery.Program,
    kind: :distribution,
    bug: "an audit adds up the accounts of two nodes one after the other, and misses what is under way between them"

  alias Lockstep.Cluster

  defmodule Account do
    use Lockstep
    use GenServer

    def start_link, do: GenServer.start_link(__MODULE__, nil, name: __MODULE__)
    def init(_), do: {:ok, %{balance: 50, paid: 0, received: 0}}
    def handle_call(:state, _from, state), do: {:reply, state, state}

    def handle_call({:pay, amount, to}, _from, state) do
      GenServer.cast({__MODULE__, to}, {:receive, amount})
      {:reply, :ok, %{state | balance: state.balance - amount, paid: state.paid + amount}}
    end

    def handle_cast({:receive, amount}, state) do
      {:noreply, %{state | balance: state.balance + amount, received: state.received + amount}}
    end
  end

  def buggy, do: audit(&states/0)
  def fixed, do: audit(&states_at_rest/0)

  defp audit(states) do
    Cluster.start_nodes([:a, :b], start: fn -> {:ok, _} = Account.start_link() end)
    pay = fn -> GenServer.call({Account, :a}, {:pay, 10, :b}) end
    [states, _] = together([states, pay])
    assert sum(states, :balance) == 100
  end

  defp states, do: for(node <- [:a, :b], do: GenServer.call({Account, node}, :state))

  # Two rounds with the same result, in which all that was paid has been received: nothing was under way between them.
  defp states_at_rest do
    states = states()

    if states == states() and sum(states, :paid) == sum(states, :received) do
      states
    else
      Process.sleep(5)
      states_at_rest()
    end
  end

  defp sum(states, key), do: states |> Enum.map(& &1[key]) |> Enum.sum()
end
