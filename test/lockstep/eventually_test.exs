defmodule Lockstep.EventuallyTest do
  use Lockstep.Case, async: true

  alias Lockstep.{EventuallyError, OptionError, Runner}

  doctest Lockstep.Runtime.Place

  # The error with which a run of one seed fails.
  defp error(fun) do
    {:failed, failure} = Runner.explore(fun, seeds: 1)
    assert {:crash, :error, error, _stack} = failure.error
    error
  end

  defp after_ms(milliseconds, value) do
    start = Lockstep.now()
    fn -> if Lockstep.now() - start >= milliseconds, do: value end
  end

  describe "inside a run" do
    @tag lockstep: [seeds: 20]
    test "returns the first value that is neither nil nor false" do
      assert Lockstep.eventually(fn -> 0 end) == 0
      assert Lockstep.eventually(after_ms(300, :there)) == :there
    end

    @tag lockstep: [seeds: 20, max_stall: 0]
    test "burns virtual time, and no more than it needs" do
      began = System.monotonic_time(:millisecond)
      assert Lockstep.eventually(after_ms(3_000_000, :there), within: 4_000_000, every: 100_000) == :there
      assert System.monotonic_time(:millisecond) - began == 3_000_000
    end

    @tag lockstep: [seeds: 50]
    test "the others go on meanwhile, and messages stay for who waits for them" do
      test = self()
      table = :ets.new(:eventually, [:public])

      spawn(fn ->
        Process.sleep(40)
        :ets.insert(table, {:done, node()})
        send(test, :done)
      end)

      send(test, :before)
      assert [{:done, _}] = Lockstep.eventually(fn -> with [] <- :ets.lookup(table, :done), do: nil end)
      assert_receive :done
      assert_received :before
    end

    @tag lockstep: [seeds: 20]
    test "a failed assertion means not yet" do
      counter = :counters.new(1, [])

      Lockstep.eventually(fn ->
        :counters.add(counter, 1, 1)
        assert :counters.get(counter, 1) == 4
      end)

      assert :counters.get(counter, 1) == 4
    end

    test "is the same run for the same seed" do
      body = fn -> Lockstep.eventually(after_ms(:rand.uniform(100), true), every: 7) end
      assert %{runs: 20} = Runner.run(body, seeds: 20, check_determinism: true)
    end
  end

  describe "when the time is up" do
    test "says what the last value was, how long it took and where" do
      error = error(fn -> Lockstep.eventually(fn -> false end, within: 100, every: 30) end)
      line = __ENV__.line - 1

      assert %EventuallyError{value: false, cause: nil, waited: waited, checks: 5, virtual?: true} = error
      assert waited in 100..600

      assert Exception.message(error) =~
               ~r/^not so after \d+ ms of virtual time, in 5 checks \(#{__ENV__.file |> Path.relative_to_cwd()}:#{line}\)/

      assert Exception.message(error) =~ "the last one gave false"
    end

    # In the end of a function the VM's stack does not know any more where the call was made.
    defp tail, do: Lockstep.eventually(fn -> nil end, within: 0)
    @tail_line __ENV__.line - 1

    test "knows the place of a tail call" do
      error = error(fn -> assert tail() end)
      assert {_file, @tail_line} = error.place
      assert %{value: nil, checks: 1} = error
    end

    test "shows the failed assertion of the last check" do
      error = error(fn -> Lockstep.eventually(fn -> assert node() == :elsewhere end, within: 50) end)
      assert %ExUnit.AssertionError{left: :nonode@nohost} = error.cause
      assert Exception.message(error) =~ "the last one failed:\n\nAssertion with == failed"
      assert Exception.message(error) =~ "node() == :elsewhere"
    end

    test "one within another is a failed check of the other" do
      inner = fn -> Lockstep.eventually(fn -> false end, within: 10) end
      error = error(fn -> Lockstep.eventually(inner, within: 50) end)
      assert %EventuallyError{cause: %EventuallyError{cause: nil}} = error
    end

    test "the report of the run shows it with the line" do
      {:failed, failure} = Runner.explore(fn -> Lockstep.eventually(fn -> false end, within: 20) end, seeds: 3)
      text = failure |> Exception.message() |> String.replace(~r/\e\[[0-9;]*m/, "")
      assert text =~ "** (Lockstep.EventuallyError) not so after"
      assert text =~ "test/lockstep/eventually_test.exs:#{__ENV__.line - 3}"
    end
  end

  test "other exceptions, exits and throws are not caught" do
    for fun <- [fn -> raise KeyError, key: :a, term: %{} end, fn -> exit(:boom) end, fn -> throw(:ball) end] do
      {:failed, failure} = Runner.explore(fn -> Lockstep.eventually(fun, within: 50) end, seeds: 1)
      assert {:crash, kind, reason, _stack} = failure.error
      assert {kind, reason} in [{:error, %KeyError{key: :a, term: %{}}}, {:exit, :boom}, {:throw, :ball}]
    end
  end

  describe "outside of a run" do
    test "waits in real time" do
      test = self()
      spawn(fn -> Process.send_after(test, :there, 30) end)
      waits = fn -> with {:messages, messages} <- Process.info(test, :messages), do: :there in messages end
      assert Lockstep.eventually(waits, every: 1)
    end

    test "and fails there, too" do
      error = assert_raise EventuallyError, fn -> Lockstep.eventually(fn -> nil end, within: 20, every: 5) end
      assert %{virtual?: false, waited: waited} = error
      assert waited >= 20
      assert Exception.message(error) =~ ~r/^not so after \d+ ms, in \d checks? \(test/
    end
  end

  describe "bad input" do
    test "names what is wrong and what is right" do
      assert_raise OptionError,
                   ~r/invalid value 0 for option :every \(from Lockstep.eventually\/2\): expected a/,
                   fn ->
                     Lockstep.eventually(fn -> true end, every: 0)
                   end

      assert_raise OptionError, ~r/option :within .*an integer that is 0 or more/, fn ->
        Lockstep.eventually(fn -> true end, within: :soon)
      end

      assert_raise OptionError, ~r/unknown option :timeout .*the options are :within, :every/, fn ->
        Lockstep.eventually(fn -> true end, timeout: 5)
      end

      assert_raise OptionError, ~r/invalid options 500 .*such as \[within: 5000\]/, fn ->
        Lockstep.eventually(fn -> true end, 500)
      end

      assert_raise ArgumentError, ~r/needs a function without arguments, got true/, fn ->
        Lockstep.eventually(true)
      end
    end

    test "is refused inside a run in the same words" do
      assert %OptionError{option: :every} = error(fn -> Lockstep.eventually(fn -> true end, every: -1) end)
    end
  end
end
