defmodule Gallery.LostUpdatePersistentTerm do
  use Gallery.Program, kind: :atomicity, bug: "two features are switched on at once in one list of flags"

  def buggy, do: flags(fn _owner, flag -> enable(flag) end)
  def fixed, do: flags(fn owner, flag -> Agent.update(owner, fn _ -> enable(flag) end) end)

  defp enable(flag), do: :persistent_term.put(:flags, [flag | :persistent_term.get(:flags)])

  defp flags(enable) do
    :persistent_term.put(:flags, [])
    {:ok, owner} = Agent.start_link(fn -> nil end)
    together(for flag <- [:dark_mode, :new_search], do: fn -> enable.(owner, flag) end)
    assert Enum.sort(:persistent_term.get(:flags)) == [:dark_mode, :new_search]
  end
end
