defmodule Gallery.LostUpdateMessages do
  use Gallery.Program, kind: :atomicity, bug: "two clients ask a server for its value, and send it back increased"

  def buggy, do: deposits(fn account -> Agent.update(account, add(Agent.get(account, & &1))) end)
  def fixed, do: deposits(fn account -> Agent.update(account, &(&1 + 10)) end)

  defp add(balance), do: fn _balance -> balance + 10 end

  defp deposits(deposit) do
    {:ok, account} = Agent.start_link(fn -> 0 end)
    together(for _ <- 1..2, do: fn -> deposit.(account) end)
    assert Agent.get(account, & &1) == 20
  end
end
