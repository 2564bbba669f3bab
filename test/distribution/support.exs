defmodule Distribution.Support do
  @moduledoc false
  # What the tests of the rules of distribution have in common.
  use Lockstep

  alias Lockstep.Cluster

  # Nothing connects or disconnects by itself: `global` keeps to names.
  @isolated [kernel: [connect_all: false, prevent_overlapping_partitions: false]]

  @doc "Starts nodes on which `global` does nothing about connections."
  def start_isolated(names, options \\ []) do
    env = Keyword.update(@isolated, :kernel, [], &(&1 ++ Keyword.get(options, :kernel, [])))
    Cluster.start_nodes(names, [env: env] ++ Keyword.delete(options, :kernel))
  end

  @doc "Starts what a node has from the start, and what takes its time when it is first needed."
  def warm(node), do: Cluster.run(node, fn -> {Node.connect(node), Node.ping(node)} end)

  @doc "Runs the function under many seeds; it must hold in each."
  def run(fun, options \\ []), do: Lockstep.Runner.run(fun, options(options))

  @doc "What the function comes to under many seeds: each outcome once, sorted."
  def outcomes(fun, options \\ []) do
    test = self()

    body = fn ->
      outcome = fun.()
      Lockstep.host(fn -> send(test, {:outcome, outcome}) end)
    end

    Lockstep.Runner.run(body, options(options))
    all_outcomes() |> Enum.uniq() |> Enum.sort()
  end

  # The counts of seeds are what it takes to come to all that real nodes were seen to do.
  defp options(options), do: Keyword.merge([seeds: 1..100, escapes: :raise], options)

  defp all_outcomes do
    receive do
      {:outcome, outcome} -> [outcome | all_outcomes()]
    after
      0 -> []
    end
  end

  @doc """
  Starts a process on a node that traps exits, calls `setup`, and then does what it is told. Everything else stays in its
  mailbox.
  """
  def recorder(node, setup \\ fn -> :ok end) do
    recorder = Cluster.spawn(node, &record/0)
    tell(recorder, setup)
    recorder
  end

  defp record do
    Process.flag(:trap_exit, true)
    record_on()
  end

  defp record_on do
    receive do
      {:tell, from, fun} -> send(from, {:told, self(), fun.()})
    end

    record_on()
  end

  @doc "Lets the recorder call the function; its result."
  def tell(recorder, fun) do
    let(recorder, fun)
    told(recorder)
  end

  @doc "As `tell/2`, and does not wait."
  def let(recorder, fun), do: send(recorder, {:tell, self(), fun})

  @doc "The result of what a recorder was told, when it is there."
  def told(recorder), do: receive(do: ({:told, ^recorder, result} -> result))

  @doc "What has come to a recorder and not been taken by what it was told, in order."
  def log(recorder) do
    {:messages, messages} = Cluster.run(node(recorder), fn -> Process.info(recorder, :messages) end)
    messages
  end

  @doc "All that is in the caller's mailbox, in order."
  def flush do
    receive do
      message -> [message | flush()]
    after
      0 -> []
    end
  end

  @doc "What the function comes to, and how long it takes, in virtual ms."
  def timed(fun) do
    start = System.monotonic_time(:millisecond)
    result = fun.()
    {result, System.monotonic_time(:millisecond) - start}
  end

  @doc "Whom each of the nodes sees."
  def lists(nodes), do: for(node <- nodes, do: Cluster.run(node, fn -> Enum.sort(Node.list()) end))

  @doc "Lets enough time pass for all that is under way to arrive, whoever is held back."
  def settle, do: Process.sleep(10_000)
end
