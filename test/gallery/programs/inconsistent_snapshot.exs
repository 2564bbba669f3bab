defmodule Gallery.InconsistentSnapshot do
  use Gallery.Program, kind: :atomicity, bug: "an audit reads one account before a transfer and the other after it"

  def buggy, do: audit(fn bank -> for account <- [:ada, :joe], do: hd(:ets.lookup(bank, account)) end)
  def fixed, do: audit(&:ets.tab2list/1)

  defp audit(read) do
    bank = :ets.new(:bank, [:public])
    :ets.insert(bank, ada: 100, joe: 0)
    transfer = fn -> :ets.insert(bank, ada: 70, joe: 30) end
    audit = fn -> bank |> read.() |> Keyword.values() |> Enum.sum() end
    assert [_, 100] = together([transfer, audit])
  end
end
