defmodule Gallery.RegistryRace do
  use Gallery.Program,
    kind: :lifecycle,
    bug: "two requests find no session in the registry, and both start one",
    fails: :exit

  def buggy,
    do:
      sessions(fn name ->
        {:ok, session} = Agent.start(fn -> [] end, name: name)
        session
      end)

  def fixed do
    sessions(fn name ->
      case Agent.start(fn -> [] end, name: name) do
        {:ok, session} -> session
        {:error, {:already_started, session}} -> session
      end
    end)
  end

  defp sessions(start) do
    {:ok, _} = Registry.start_link(keys: :unique, name: Sessions)
    sessions = together(for _ <- 1..2, do: fn -> session(:ada, start) end)
    assert [_only] = Enum.uniq(sessions)
  end

  defp session(user, start) do
    case Registry.lookup(Sessions, user) do
      [{session, _}] -> session
      [] -> start.({:via, Registry, {Sessions, user}})
    end
  end
end
