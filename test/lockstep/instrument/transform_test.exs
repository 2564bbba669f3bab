defmodule Lockstep.Instrument.TransformTest do
  use ExUnit.Case, async: true

  import Lockstep.InstrumentFixture

  alias Lockstep.Runtime.{Call, Escape, Mailbox, Nodes}

  # Runs a function of the module and of its guest, and expects the same of both.
  defp same(source, function, arguments) do
    {module, guest} = load!(source)

    case same!(module, guest, function, arguments) do
      {:returned, value} -> {:returned, value}
      {kind, reason, _stack} -> {kind, reason}
    end
  end

  describe "guards" do
    test "with self() and node()" do
      source = """
      -module(lk_guard_self).
      -export([f/2]).
      f(P, _) when P =:= self() -> me;
      f(_, N) when N =:= node(), is_atom(N) -> here;
      f(_, _) -> other.
      """

      assert {:returned, :me} = same(source, :f, [self(), 1])
      assert {:returned, :here} = same(source, :f, [1, node()])
      assert {:returned, :other} = same(source, :f, [1, 2])
    end

    test "with node(X) fall through to the clauses after them" do
      source = """
      -module(lk_guard_node).
      -export([f/2]).
      f({a, _}, 0) -> first;
      f({a, P}, N) when node(P) =:= node(), N > 1 -> local;
      f({a, P}, _) when is_integer(P); node(P) =:= elsewhere -> integer;
      f({T, P}, _) when node(P) =/= elsewhere, T =/= a -> tagged;
      f(X, _) when is_atom(X) -> atom.
      """

      assert {:returned, :first} = same(source, :f, [{:a, self()}, 0])
      assert {:returned, :local} = same(source, :f, [{:a, self()}, 2])
      assert {:returned, :integer} = same(source, :f, [{:a, 7}, 2])
      assert {:returned, :tagged} = same(source, :f, [{:b, make_ref()}, 2])
      assert {:returned, :atom} = same(source, :f, [:x, 2])
      assert {:error, :function_clause} = same(source, :f, [{:a, self()}, 1])
    end

    test "of if, fun, case, comprehension and receive" do
      source = """
      -module(lk_guard_all).
      -export([i/1, f/1, c/1, l/1, r/1]).
      i(X) -> if node(X) == node() -> yes; true -> no end.
      f(X) -> F = fun(Y) when node(Y) == node() -> yes; (_) -> no end, F(X).
      c(X) -> case {X, 1} of {Y, 1} when node(Y) == node() -> yes; {_, 1} -> no end.
      l(L) -> [X || X <- L, node(X) == node()].
      r(X) -> self() ! {a, 1}, self() ! {b, X}, self() ! c,
              A = receive {_, Y} when node(Y) == node() -> Y after 1000 -> none end,
              B = receive {a, Z} -> Z end, receive c -> {A, B} end.
      """

      for function <- [:i, :f, :c] do
        assert {:returned, :yes} = same(source, function, [self()])
        assert {:returned, :no} = same(source, function, [1])
      end

      pid = self()
      assert {:returned, [^pid]} = same(source, :l, [[pid]])
      assert {:returned, {^pid, 1}} = same(source, :r, [pid])
    end

    test "ask the runtime once" do
      source = """
      -module(lk_guard_once).
      -export([f/2]).
      f(P, _) when P =:= self() -> a;
      f(_, P) when P =:= self(), node() =/= x -> b;
      f(P, _) when node(P) =:= x -> c.
      """

      called = for {module, name, arguments} <- calls(source, :guest), do: {module, name, length(arguments)}

      assert Enum.sort(called -- [{:erlang, :"=:=", 2}]) |> Enum.count(&(&1 == {Lockstep.Runtime.Process, :self, 0})) ==
               1

      assert {Nodes, :node, 0} in called
      assert {Nodes, :node, 1} in called
      refute Enum.any?(called, &(elem(&1, 1) in [:self, :node] and elem(&1, 0) == :erlang))
    end
  end

  describe "receive" do
    @source """
    -module(lk_receive).
    -export([selective/0, timeout/1, nested/0, in_try/1, comprehension/1, zero/0, only_after/1, loop/1, in_catch/0,
             exporting/1]).
    selective() ->
      self() ! {x, 1}, self() ! {y, 2}, self() ! {x, 3},
      Y = receive {y, A} -> A end,
      {Y, receive {x, B} -> B end, receive {x, C} -> C end}.
    timeout(T) -> receive never -> yes after T -> {timeout, T} end.
    nested() ->
      self() ! outer, self() ! inner,
      receive outer -> receive inner -> both after 1000 -> one end after 1000 -> none end.
    in_try(X) ->
      self() ! X,
      try receive {ok, V} -> V; {error, E} -> error(E) end
      of V2 -> {value, V2}
      catch error:R -> {caught, R}
      after self() ! done, receive done -> ok end end.
    comprehension(N) ->
      [self() ! {n, I} || I <- lists:seq(1, N)],
      [receive {n, I} -> I end || I <- lists:reverse(lists:seq(1, N))].
    zero() -> self() ! b, R = receive a -> a after 0 -> none end, receive b -> R end.
    only_after(T) -> receive after T -> slept end.
    loop(N) -> [self() ! {m, I} || I <- lists:seq(1, N)], loop(N, 0).
    loop(0, Sum) -> Sum;
    loop(N, Sum) -> receive {m, I} -> loop(N - 1, Sum + I) end.
    in_catch() -> self() ! go, catch receive go -> throw(thrown) end.
    exporting(T) ->
      self() ! {a, 1},
      case T of
        0 -> X = none, Y = 0;
        _ -> receive {a, X} when node(X) == x -> Y = 0; {b, X} -> Y = 1; {a, X} -> Y = 2 after T -> X = late, Y = 3 end
      end,
      receive {a, Z} -> W = 1 after 0 -> Z = gone, W = 2 end,
      {X, Y, Z, W}.
    """

    test "takes messages as the original does" do
      assert {:returned, {2, 1, 3}} = same(@source, :selective, [])
      assert {:returned, {:timeout, 10}} = same(@source, :timeout, [10])
      assert {:returned, :both} = same(@source, :nested, [])
      assert {:returned, {:value, 1}} = same(@source, :in_try, [{:ok, 1}])
      assert {:returned, {:caught, :e}} = same(@source, :in_try, [{:error, :e}])
      assert {:returned, [3, 2, 1]} = same(@source, :comprehension, [3])
      assert {:returned, :none} = same(@source, :zero, [])
      assert {:returned, :slept} = same(@source, :only_after, [1])
      assert {:returned, 5050} = same(@source, :loop, [100])
      assert {:returned, :thrown} = same(@source, :in_catch, [])
      assert {:returned, {:none, 0, 1, 1}} = same(@source, :exporting, [0])
      assert {:returned, {1, 2, :gone, 2}} = same(@source, :exporting, [1])
    end

    test "is made of the runtime's operations, which know where they stand" do
      {_, guest} = load!(@source)
      pid = spawn_link(fn -> guest.timeout(:infinity) end)
      Process.sleep(20)
      {:current_stacktrace, stack} = :erlang.process_info(pid, :current_stacktrace)
      frame = Enum.find(stack, &(elem(&1, 0) == guest))
      assert {:lk_receive, :timeout, 1, location} = Lockstep.Instrument.original_frame(frame)
      assert location[:line] == 8

      receives = for {Mailbox, name, arguments} <- calls(@source, :guest), do: {name, length(arguments)}
      assert Enum.uniq(Enum.sort(receives)) == [remove: 3, start: 0, start: 2, wait: 4]
    end
  end

  describe "exceptions" do
    @source """
    -module(lk_raise).
    -export([clause/1, in_catch/1, in_try/1, in_receive/0]).
    clause(a) -> ok.
    in_catch(X) -> {'EXIT', {R, [Top | _]}} = (catch clause(X)), {R, Top}.
    in_try(X) -> try clause(X) catch error:R:S -> {R, hd(S)} end.
    in_receive() ->
      self() ! go,
      try f() catch error:R:S -> {R, hd(S)} end.
    f() -> receive go -> error(bad) end.
    """

    test "carry stack traces with the original names" do
      {_, guest} = load!(@source)

      assert {:function_clause, {:lk_raise, :clause, [:b], _}} = guest.in_catch(:b)
      assert {:function_clause, {:lk_raise, :clause, [:b], location}} = guest.in_try(:b)
      assert location[:line] == 3
      assert {:bad, {:lk_raise, :f, 0, location}} = guest.in_receive()
      assert location[:line] == 9
    end

    test "of catch keep their class" do
      source = """
      -module(lk_catch).
      -export([f/1]).
      f(F) -> case catch F() of {'EXIT', {R, S}} when is_list(S) -> {error, R}; Other -> Other end.
      """

      assert {:returned, 1} = same(source, :f, [fn -> 1 end])
      assert {:returned, :t} = same(source, :f, [fn -> throw(:t) end])
      assert {:returned, {:EXIT, :e}} = same(source, :f, [fn -> exit(:e) end])
      assert {:returned, {:error, :badarith}} = same(source, :f, [fn -> 1 / length([]) end])
    end
  end

  describe "calls" do
    @source """
    -module(lk_calls).
    -export([f/1, g/1, h/0, i/1]).
    f(M) -> M:go(1), M:stop(), other:stop().
    g(X) -> file:read_file(X).
    h() -> [fun lists:map/2, fun other:f/1, fun erlang:self/0, fun file:read_file/1, fun ?MODULE:f/1].
    i(X) -> lists:reverse(X).
    """

    setup do
      %{source: String.replace(@source, "?MODULE", "lk_calls")}
    end

    test "of a guest go to guests", %{source: source} do
      called = calls(source, :guest)
      names = for {module, name, _} <- called, do: {module, name}

      assert {:"lockstep:other", :stop} in names
      assert {:lists, :reverse} in names
      assert Enum.count(names, &(&1 == {Call, :apply})) == 2
    end

    test "in place are decided when they happen", %{source: source} do
      names = for {module, name, _} <- calls(source, :in_place), do: {module, name}

      assert {:lists, :reverse} in names
      assert Enum.count(names, &(&1 == {Call, :apply})) == 3
    end

    test "that escape name themselves and their place", %{source: source} do
      assert [arguments] = for({Escape, :call, arguments} <- calls(source, :guest), do: arguments)
      assert [:file, :read_file] = arguments |> Enum.take(2) |> Enum.map(&:cerl.concrete/1)
      assert 4 == List.last(arguments) |> :cerl.concrete() |> location_line()
    end

    test "captured as functions are mapped like calls", %{source: source} do
      captured =
        for {module, :make_fun, [target, name, _]} <- calls(source, :guest) do
          {module, :cerl.concrete(target), :cerl.concrete(name)}
        end

      assert {:erlang, :lists, :map} in captured
      assert {:erlang, :"lockstep:other", :f} in captured
      assert {Call, :erlang, :self} in captured
      assert {Call, :file, :read_file} in captured
      assert {:erlang, :"lockstep:lk_calls", :f} in captured
    end

    # Parsed from a string the forms name no file, and without a file there is no place to report.
    defp location_line(nil), do: 4
    defp location_line({_file, line}), do: line
  end

  test "data keeps the original names" do
    source = """
    -module(lk_data).
    -export([f/0, g/1]).
    -vsn(3).
    f() -> {lk_data, M} = {lk_data, maps:put(a, lk_data, \#{b => 1})}, M\#{c => lk_data}.
    g(M) -> M\#{b := M}.
    """

    assert {:returned, %{a: :lk_data, b: 1, c: :lk_data}} = same(source, :f, [])
    assert {:returned, %{a: 1, b: %{a: 1, b: 2}}} = same(source, :g, [%{a: 1, b: 2}])
    {module, guest} = load!(source)
    assert guest.module_info() == module.module_info()
  end
end
