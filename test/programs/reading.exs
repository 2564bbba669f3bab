# The programs of docs/reading-a-failure.md: each has a bug, and the page shows what its failure prints.
# `LOCKSTEP_WRITE_DOCS=1 mix test test/lockstep/report/reading_test.exs` writes the page anew.

defmodule ReadingSyntax do
  @moduledoc false
  # Tests as ExUnit has them, but which it does not run: they are meant to fail.

  defmacro test(name, do: block) do
    name = :"test #{name}"

    quote do
      _ = @tag
      Module.delete_attribute(__MODULE__, :tag)

      def unquote(name)(_context) do
        unquote(block)
        :ok
      end

      def program(unquote(name)), do: fn -> apply(__MODULE__, unquote(name), [%{}]) end
    end
  end
end

# [race]
defmodule Seats do
  use Agent

  def start_link(count), do: Agent.start_link(fn -> count end, name: __MODULE__)
  def left, do: Agent.get(__MODULE__, & &1)
  def sell, do: if(left() > 0, do: Agent.update(__MODULE__, &(&1 - 1)))
end

# [race]

# [deadlock]
defmodule Account do
  use GenServer

  def start_link(balance), do: GenServer.start_link(__MODULE__, balance)
  def transfer(from, to, amount), do: GenServer.call(from, {:transfer, to, amount}, :infinity)

  @impl true
  def init(balance), do: {:ok, balance}

  @impl true
  def handle_call({:transfer, to, amount}, _from, balance) do
    :ok = GenServer.call(to, {:deposit, amount}, :infinity)
    {:reply, :ok, balance - amount}
  end

  def handle_call({:deposit, amount}, _from, balance), do: {:reply, :ok, balance + amount}
end

# [deadlock]

# [partition]
defmodule Replica do
  use GenServer

  def start(others), do: GenServer.start(__MODULE__, others, name: __MODULE__)
  def put(node, key, value), do: GenServer.call({__MODULE__, node}, {:put, key, value})
  def get(node, key), do: GenServer.call({__MODULE__, node}, {:get, key})

  @impl true
  def init(others), do: {:ok, {others, %{}}}

  @impl true
  def handle_call({:put, key, value}, _from, {others, data}) do
    for node <- others, do: GenServer.cast({__MODULE__, node}, {:put, key, value})
    {:reply, :ok, {others, Map.put(data, key, value)}}
  end

  def handle_call({:get, key}, _from, {others, data}), do: {:reply, data[key], {others, data}}

  @impl true
  def handle_cast({:put, key, value}, {others, data}), do: {:noreply, {others, Map.put(data, key, value)}}
end

# [partition]

defmodule ReadingTest do
  @moduledoc false
  use Lockstep
  import ExUnit.Assertions
  import ReadingSyntax

  alias Lockstep.Cluster

  # [race]
  @tag lockstep: [seeds: 1..500]
  test "the last seat is sold once" do
    {:ok, _} = Seats.start_link(1)
    1..2 |> Enum.map(fn _clerk -> Task.async(&Seats.sell/0) end) |> Task.await_many()
    assert Seats.left() == 0
  end

  # [race]

  # [deadlock]
  @tag lockstep: [seeds: 1..500]
  test "two transfers at a time" do
    {:ok, ann} = Account.start_link(100)
    {:ok, bob} = Account.start_link(100)
    one = Task.async(fn -> :ok = Account.transfer(ann, bob, 10) end)
    other = Task.async(fn -> :ok = Account.transfer(bob, ann, 20) end)
    Task.await_many([one, other], :infinity)
  end

  # [deadlock]

  # [partition]
  @tag lockstep: [seeds: 1..500]
  test "both replicas know the last color" do
    [a, b] = Cluster.start_nodes([:a, :b])
    {:ok, _} = Cluster.run(a, fn -> Replica.start([b]) end)
    {:ok, _} = Cluster.run(b, fn -> Replica.start([a]) end)

    writer =
      Task.async(fn ->
        Process.sleep(20)
        Replica.put(a, :color, :blue)
        Process.sleep(20)
        Replica.put(a, :color, :green)
      end)

    Process.sleep(30)
    Cluster.partition([a], [b])
    Process.sleep(30)
    Cluster.heal()
    Task.await(writer)
    Process.sleep(100)
    assert Replica.get(b, :color) == Replica.get(a, :color)
  end

  # [partition]
end
