defmodule Lockstep.NativeTest do
  use ExUnit.Case, async: true

  import Bitwise, only: [<<<: 2]

  alias Lockstep.Native
  alias Lockstep.Runtime.Identity

  @settings %{
    seed: 1,
    strategy: :fifo,
    profile: nil,
    max_steps: 100,
    max_virtual_time: 1_000_000,
    max_stall: 0,
    max_latency: 0,
    async: false,
    quiescence: false,
    node_order: false,
    fail_on_crash: false,
    fail_on_blocked: false,
    record: true,
    control: :nonode@nohost
  }

  # A session whose main process is this one, and has its turn.
  defp session(settings \\ []) do
    session = Native.new(Map.merge(@settings, Map.new(settings)), self())
    :ok = Native.born(session, 0, Identity.pid(0, 0), self())
    assert {:pass, pid, :ok} = Native.begin(session)
    assert pid == self()
    session
  end

  test "arguments of the wrong kind raise or are refused" do
    session = session()
    assert_raise ArgumentError, fn -> Native.new(%{}, self()) end
    assert_raise ErlangError, ~r"field :seed", fn -> Native.new(%{@settings | seed: -1}, self()) end
    assert_raise ArgumentError, fn -> Native.yield(make_ref(), 0) end
    assert_raise ArgumentError, fn -> Native.yield(session, :main) end
    assert_raise ArgumentError, fn -> Native.start_timer(session, 0, -1, self(), 1) end
    assert {:error, :bad_argument} = Native.receive(session, 0, :sometimes)
    assert {:error, :bad_argument} = Native.send(session, 0, "nobody")
    assert {:error, :foreign} = Native.send(session, 0, spawn(fn -> :ok end))
    assert {:error, _} = Native.born(session, 99, Identity.pid(99, 0), self())
    # None of it has spoilt the session.
    assert {:go, :ok} = Native.yield(session, 0)
  end

  test "a profile is that of a run, and anything else is refused with a reason" do
    session = session(strategy: :profile)
    assert {:go, :ok} = Native.yield(session, 0)
    <<"LSPF", 1::16-little, rest::binary>> = profile = Native.profile(session)
    assert is_reference(Native.new(%{@settings | strategy: :surw, profile: profile}, self()))
    assert Native.profile(session()) == nil

    for {bytes, expected} <- [
          {"something", "this is not a profile"},
          {<<"LSPF", 9::16-little, rest::binary>>, "the profile has format 9, and this version of Lockstep reads 1"},
          {binary_part(profile, 0, byte_size(profile) - 1), "the profile is damaged"}
        ] do
      assert Native.new(%{@settings | strategy: :surw, profile: bytes}, self()) == {:error, expected}
    end
  end

  test "a step out of turn is refused" do
    session = session()
    assert {:error, :unknown_process} = Native.yield(session, 7)
    assert {:error, :not_your_turn} = Native.begin(session)
    assert {:error, :not_your_turn} = Native.finish(session, 0, [])
    assert {:go, child} = Native.spawn(session, 0, :nonode@nohost, false, nil, nil)
    assert {:error, :not_your_turn} = Native.yield(session, child)
  end

  test "after the end every call is an error" do
    session = session()
    assert :ok = Native.close(session)

    for call <- [
          &Native.yield(&1, 0),
          &Native.begin/1,
          &Native.close/1,
          &Native.stats/1,
          &Native.trace/1,
          &Native.fetch(&1, 0),
          &Native.reaped(&1, self())
        ] do
      assert {:error, :ended} = call.(session)
    end

    assert is_integer(Native.progress(session))
  end

  test "calls from many processes at once neither block nor crash" do
    session = session()

    answers =
      1..8
      |> Enum.map(fn _ -> Task.async(fn -> for _ <- 1..2_000, do: Native.now(session) end) end)
      |> Task.await_many()
      |> List.flatten()
      |> Enum.uniq()

    assert answers -- [0, {:error, :busy}] == []
    assert {:go, :ok} = Native.yield(session, 0)
  end

  test "steps of many processes at once are taken one by one" do
    session = session(max_steps: 100_000)
    steps = fn _ -> for _ <- 1..1_000, do: Native.yield(session, 0) end
    answers = 1..8 |> Task.async_stream(steps, ordered: false) |> Enum.flat_map(&elem(&1, 1)) |> Enum.frequencies()
    assert Map.keys(answers) -- [{:go, :ok}, {:error, :busy}] == []
    # One event for each that was not refused, and one for the start.
    assert {steps, 0, _hash} = Native.stats(session)
    assert steps == Map.get(answers, {:go, :ok}) + 1
  end

  @garbage [:garbage, -1, 1.5, 1 <<< 70, "text", <<255>>, [:improper | :list], {}, %{}, [[]]]

  test "whatever a function is called with, the VM and other sessions go on" do
    other = session()

    for {name, arity} <- Native.__info__(:functions), name not in [:load, :new], arity > 0, garbage <- @garbage do
      # In place of the session, of the caller, and of all that follows.
      for good <- 0..(arity - 1) do
        good = Enum.take([session(), 0], good)
        arguments = good ++ List.duplicate(garbage, arity - length(good))
        if good == [], do: refute(match?({:ok, _}, call(name, arguments))), else: call(name, arguments)
      end
    end

    assert {:go, :ok} = Native.yield(other, 0)
  end

  # A panic of the library would be an ErlangError with :nif_panicked.
  defp call(name, arguments) do
    {:ok, apply(Native, name, arguments)}
  rescue
    error in [ArgumentError, ErlangError] ->
      refute match?(%ErlangError{original: :nif_panicked}, error)
      # Every function here is one of the library.
      refute match?(%ErlangError{original: :nif_not_loaded}, error)
      {:raised, error}
  end

  test "a resource of another kind is no session" do
    assert_raise ArgumentError, fn -> Native.stats(:atomics.new(1, [])) end
    assert_raise ArgumentError, fn -> Native.progress(:ets.new(:table, [])) end
  end

  test "a process is born once, and buried once" do
    session = session()
    assert {:error, :bad_argument} = Native.born(session, 0, Identity.pid(0, 0), self())
    assert {:go, child} = Native.spawn(session, 0, :nonode@nohost, false, nil, nil)
    stranger = spawn(fn -> :ok end)
    assert {:error, :foreign} = Native.reaped(session, stranger)
    assert :ok = Native.born(session, child, Identity.pid(child, 0), stranger)
    # It was not its turn to die.
    assert {:over, warden} = Native.reaped(session, stranger)
    assert warden == self()
    assert {:lost, ^child} = Native.outcome(session)
    assert {:error, :foreign} = Native.reaped(session, stranger)
    assert {:error, :ended} = Native.yield(session, 0)
  end

  test "a refused step gives no number to a name" do
    session = session()
    assert {:error, :not_your_turn} = Native.finish(session, 0, [])
    {:go, child} = Native.spawn(session, 0, :nonode@nohost, false, nil, nil)
    assert {:error, :not_your_turn} = Native.start_node(session, child, :never_started, true)
    assert {:error, :not_your_turn} = Native.stop_node(session, child, :never_started)
    assert {:go, :first} = Native.start_node(session, 0, :first, true)
    assert [{:nonode@nohost, true}, {:first, true}] = Native.nodes(session)
    # The object of the event is the node's number.
    assert {_, _, 0, :nonode@nohost, :start_node, 1, _, _, _, _} = List.last(Native.events(session))
  end

  test "a question about a node that nobody has met does not count as meeting it" do
    session = session()
    assert Native.visible(session, :nobody) == []
    assert Native.names(session, :nobody) == []
    assert {:go, :first} = Native.start_node(session, 0, :first, true)
    assert {_, _, 0, :nonode@nohost, :start_node, 1, _, _, _, _} = List.last(Native.events(session))
  end

  test "names and nodes may be written in any script" do
    session = session()
    names = [:日本, :é, :Ωμέγα, :"with space", :plain]
    for name <- names, do: assert({:go, ^name} = Native.start_node(session, 0, name, true))
    assert Enum.map(Native.nodes(session), &elem(&1, 0)) == [:nonode@nohost | names]
    {:go, true} = Native.register(session, 0, :名前, Identity.pid(0, 0))
    assert Native.names(session, :nonode@nohost) == [:名前]
    assert {:ok, %{nodes: nodes}} = Lockstep.Trace.decode(Native.trace(session))
    assert nodes == ["nonode@nohost" | Enum.map(names, &Atom.to_string/1)]
  end

  test "the pinned trace file is read by the public function" do
    trace = File.read!("native/lockstep_core/tests/golden.trace")
    assert {:ok, %{seed: 7, steps: steps, events: events}} = Lockstep.Trace.decode(trace)
    assert length(events) == steps
  end

  test "the kinds of events are those that a trace is read with" do
    session = session()
    {:go, true} = Native.register(session, 0, :main, Identity.pid(0, 0))
    kinds = for event <- Native.events(session), do: elem(event, 4)
    assert kinds == [:start, :register]
    assert {:ok, %{events: [%{kind: :start}, %{kind: :register}]}} = Lockstep.Trace.decode(Native.trace(session))
    names = Regex.scan(~r/=> "(\w+)"/, File.read!("native/lockstep_core/src/trace.rs"), capture: :all_but_first)
    assert names |> List.flatten() |> Enum.sort() == Lockstep.Trace.kinds() |> Enum.map(&to_string/1) |> Enum.sort()
  end
end
