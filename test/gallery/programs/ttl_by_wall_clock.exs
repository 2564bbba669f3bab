defmodule Gallery.TtlByWallClock do
  use Gallery.Program,
    kind: :time,
    bug: "the age of a session is measured by the time of day: when the clock is set it ends before its time"

  alias Lockstep.Cluster

  defmodule Sessions do
    use Lockstep
    use GenServer

    @ttl 1_000

    def start_link(now), do: GenServer.start_link(__MODULE__, now, name: __MODULE__)
    def init(now), do: {:ok, {now, %{}}}

    def handle_call({:log_in, user}, _from, {now, sessions}),
      do: {:reply, :ok, {now, Map.put(sessions, user, now.())}}

    def handle_call({:logged_in?, user}, _from, {now, sessions} = state) do
      {:reply, now.() - sessions[user] < @ttl, state}
    end
  end

  def buggy, do: session(fn -> System.system_time(:millisecond) end)
  def fixed, do: session(fn -> System.monotonic_time(:millisecond) end)

  defp session(now) do
    Cluster.start_nodes([:a], start: fn -> {:ok, _} = Sessions.start_link(now) end)
    [still_in?, _] = together([&log_in_and_look/0, &set_clock/0])
    assert still_in?
  end

  defp log_in_and_look do
    GenServer.call({Sessions, :a}, {:log_in, :ada})
    Process.sleep(20)
    GenServer.call({Sessions, :a}, {:logged_in?, :ada})
  end

  # The clock was slow, and is corrected.
  defp set_clock do
    Process.sleep(Enum.random(0..100))
    Cluster.set_clock(:a, jump: 3_600_000)
  end
end
