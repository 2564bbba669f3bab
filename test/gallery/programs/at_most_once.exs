defmodule Gallery.AtMostOnce do
  use Gallery.Program,
    kind: :time,
    bug: "a payment is made again after a timeout, although the first has only been slow"

  defmodule Bank do
    use GenServer

    def init(_), do: {:ok, %{balance: 100, seen: []}}
    def handle_call(:balance, _from, bank), do: {:reply, bank.balance, bank}

    def handle_call({:pay, id, amount}, _from, bank) do
      if id in bank.seen,
        do: {:reply, :ok, bank},
        else: {:reply, :ok, %{balance: bank.balance - amount, seen: [id | bank.seen]}}
    end
  end

  def buggy, do: pay(fn -> make_ref() end)

  def fixed do
    id = make_ref()
    pay(fn -> id end)
  end

  defp pay(id) do
    {:ok, bank} = GenServer.start_link(Bank, nil)
    :ok = pay(bank, id)
    assert GenServer.call(bank, :balance, :infinity) == 70
  end

  defp pay(bank, id) do
    GenServer.call(bank, {:pay, id.(), 30}, 50)
  catch
    :exit, {:timeout, _} -> pay(bank, id)
  end
end
