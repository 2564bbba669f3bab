# mix run stream_traces.exs FOLDER SEEDS: writes the traces of a stream of tasks into FOLDER, and says how many
# schedulers the VM has.
[folder, seeds] = System.argv()
Lockstep.start()

defmodule Programs.Streams do
  use Lockstep

  # As many tasks at a time as there are schedulers, which is the default.
  def run do
    {:ok, started} = Agent.start_link(fn -> [] end)

    1..8
    |> Task.async_stream(fn n ->
      Agent.update(started, &[n | &1])
      Process.sleep(:rand.uniform(10))
      {n, System.schedulers_online(), Agent.get(started, &length/1)}
    end)
    |> Enum.each(&send(self(), &1))
  end
end

IO.puts("schedulers: #{System.schedulers_online()}")
Lockstep.Runner.run(&Programs.Streams.run/0, seeds: 1..String.to_integer(seeds), trace: folder)
