defmodule Gallery.IdleStop do
  use Gallery.Program,
    kind: :lifecycle,
    bug: "a session stops because nobody has used it for a while, just as somebody uses it",
    fails: :exit

  defmodule Session do
    use GenServer

    def start(name), do: GenServer.start(__MODULE__, nil, name: name)
    def init(_), do: {:ok, 0, 50}
    def handle_call(:hit, _from, hits), do: {:reply, hits + 1, hits + 1, 50}
    def handle_info(:timeout, hits), do: {:stop, :normal, hits}
  end

  def buggy, do: hits(fn -> session() |> GenServer.call(:hit) end)
  def fixed, do: hits(&hit/0)

  defp hit do
    GenServer.call(session(), :hit)
  catch
    :exit, {reason, _} when reason in [:noproc, :normal] -> hit()
  end

  defp session do
    case Session.start(:session) do
      {:ok, pid} -> pid
      {:error, {:already_started, pid}} -> pid
    end
  end

  defp hits(hit), do: for(_ <- 1..2, do: assert(hit.() in 1..2))
end
