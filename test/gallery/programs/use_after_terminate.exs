defmodule Gallery.UseAfterTerminate do
  use Gallery.Program,
    kind: :lifecycle,
    bug: "a table is read after a look whether it is there, while its owner stops",
    fails: ArgumentError

  defmodule Sessions do
    use GenServer

    def init(_), do: {:ok, :ets.new(__MODULE__, [:named_table, :public])}
  end

  def buggy, do: stop(&look_and_read/1)
  def fixed, do: stop(&read/1)

  defp look_and_read(user) do
    if :ets.whereis(Sessions) == :undefined, do: [], else: :ets.lookup(Sessions, user)
  end

  defp read(user) do
    :ets.lookup(Sessions, user)
  rescue
    ArgumentError -> []
  end

  defp stop(read) do
    {:ok, sessions} = GenServer.start(Sessions, nil)
    :ets.insert(Sessions, {:ada, :logged_in})
    stopping = Task.async(fn -> GenServer.stop(sessions) end)
    assert read.(:ada) in [[], [ada: :logged_in]]
    Task.await(stopping)
  end
end
