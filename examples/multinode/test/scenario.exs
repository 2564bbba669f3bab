defmodule MultinodeScenario do
  @moduledoc false
  # Three nodes on which the application starts before they know of one another, and which meet then.

  use Lockstep
  import ExUnit.Assertions

  alias Lockstep.Cluster
  alias Multinode.Worker.{Named, Standby}

  @nodes [:"a@127.0.0.1", :"b@127.0.0.1", :"c@127.0.0.1"]

  @doc "What there is to find."
  def bugs do
    [
      {"the application goes down", fn -> survival(Named) end},
      {"several workers before the nodes meet", fn -> one_at_most(Named) end},
      {"a round done twice", fn -> rounds(Named) end}
    ]
  end

  @doc "What there is not to find."
  def twins do
    [
      {"standby: the application survives", fn -> survival(Standby) end},
      {"standby: one worker at most before the nodes meet", fn -> one_at_most(Standby) end},
      {"standby: rounds are done once", fn -> rounds(Standby) end}
    ]
  end

  @doc "The application survives the meeting on every node."
  def survival(worker) do
    nodes = boot(worker)
    meet(nodes)
    assert running(nodes) == nodes
  end

  @doc "At no moment before the nodes meet there is more than one worker, as far as they know."
  def one_at_most(worker) do
    nodes = boot(worker)
    Lockstep.always("one worker at most", fn -> length(workers(nodes)) <= 1 end)
    Process.sleep(2000)
  end

  @doc "A round is done by one node, and while there is a cluster rounds are done."
  def rounds(worker) do
    nodes = boot(worker)
    meet(nodes)
    Process.sleep(3000)
    rounds = received()
    assert rounds != []
    assert_once(rounds)
  end

  @doc "Starts nodes with the application that are not connected."
  def boot(worker) do
    env = [worker: worker, members: @nodes, job: {__MODULE__, :done, [self()]}]
    Cluster.start_nodes(@nodes, connect: false, env: [multinode: env], start: &start/0)
  end

  # Somewhere within a second, as the rounds of different nodes have nothing to do with one another.
  defp start do
    Process.sleep(:rand.uniform(1000))
    {:ok, _} = Application.ensure_all_started(:multinode)
  end

  @doc "The first node connects to the others, which connects these, too. Waits until all is settled."
  def meet([first | others]) do
    assert Cluster.run(first, fn -> Enum.map(others, &Node.connect/1) end) == [true, true]
    Process.sleep(3000)
  end

  @doc "The job: the test is told."
  def done(round, test), do: send(test, {:done, round, node()})

  @doc "No round is among them twice."
  def assert_once(rounds), do: assert(rounds == Enum.uniq_by(rounds, fn {round, _node} -> round end))

  @doc "The rounds that were done so far, each with the node."
  def received do
    receive do
      {:done, round, node} -> [{round, node} | received()]
    after
      0 -> []
    end
  end

  @doc "On which of the nodes the application runs."
  def running(nodes), do: Enum.filter(nodes, &Cluster.run(&1, fn -> Process.whereis(Multinode.Supervisor) != nil end))

  @doc "The processes that the nodes take for the worker."
  def workers(nodes) do
    workers = for node <- nodes, do: Cluster.run(node, fn -> Multinode.worker() end)
    workers |> Enum.uniq() |> List.delete(nil)
  end
end
