defmodule Lockstep.Instrument.ErlangTest do
  # Erlang in all its forms: the guest of a module does what the module does, down to the stack traces.
  use ExUnit.Case, async: true

  import Lockstep.InstrumentFixture

  # The outcomes of the calls, each the same in the module and in its guest.
  defp outcomes(source, calls, options \\ []) do
    source |> load!(options) |> outcomes_of(calls)
  end

  defp outcomes_of({module, guest}, calls) do
    for {function, arguments} <- calls do
      case same!(module, guest, function, arguments) do
        {:returned, value} -> value
        {kind, reason, [{^module, _, _, _} | _]} -> {kind, reason}
        {kind, reason, stack} -> {kind, reason, stack |> hd() |> Tuple.delete_at(3)}
      end
    end
  end

  describe "receive" do
    test "in other expressions" do
      source = """
      -module(lk_e_receive).
      -compile(export_all).
      put(L) -> [self() ! M || M <- L].
      argument() -> put([{a, 1}, {b, 2}]), max(receive {b, X} -> X end, receive {a, Y} -> Y end).
      operand() -> put([3, 4]), receive X -> X end + receive Y -> Y end * 10.
      construction() -> put([1, 2, 3, 4]),
        {[receive A -> A end | receive B -> B end], \#{receive C -> C end => receive D -> D end}}.
      update(M) -> put([x]), M\#{b => receive X -> X end}.
      binary() -> put([4, 5]), <<(receive A -> A end):(receive B -> B end * 2), 1:6>>.
      condition() -> put([true]), case receive X -> X end andalso self() =/= 1 of true -> yes; false -> no end.
      generator() -> put([[1, 2, 3], {n, 2}, {n, 3}]), [X * receive {n, N} -> N end || X <- receive [_ | T] -> T end].
      filter() -> put([true, false, true]), [X || X <- [1, 2, 3], receive B -> B end].
      bits() -> put([1, 2]), << <<(receive N -> N end):4>> || _ <- [a, b] >>.
      bits_generator() -> put([<<1, 2, 3>>]), [X || <<X>> <= receive B -> B end, X > 1].
      function() -> put([5, 6]), F = fun(X) -> receive Y when Y > X -> {X, Y} end end, F(5).
      function_named() -> put([5, 6]), F = fun L(0) -> []; L(N) -> [receive X -> X end | L(N - 1)] end, F(2).
      tail(0) -> done;
      tail(N) -> self() ! N, receive N -> tail(N - 1) end.
      timeout_expression() -> put([10, 1]), receive never -> a after receive 10 -> 1 end -> receive 1 -> b end end.
      shadow(X) -> put([{X, 1}, {other, 2}]), receive {other, Y} -> Y end, receive {X, Z} -> {Y, Z} end.
      bound(X) -> put([1, X]), receive X -> {got, X} after 0 -> none end.
      deep() -> put([a, b, c, d]),
        receive b -> receive a -> receive d -> receive c -> in_order end end end end.
      after_only_body() -> receive after 0 -> receive after 1 -> twice end end.
      many() -> put(lists:seq(1, 50)), [receive X when X rem 7 == I -> X end || I <- [6, 5, 4, 3, 2, 1, 0]].
      """

      assert outcomes(source, [
               {:argument, []},
               {:operand, []},
               {:construction, []},
               {:update, [%{a: 1}]},
               {:binary, []},
               {:condition, []},
               {:generator, []},
               {:filter, []},
               {:bits, []},
               {:bits_generator, []},
               {:function, []},
               {:function_named, []},
               {:tail, [20]},
               {:timeout_expression, []},
               {:shadow, [:key]},
               {:bound, [7]},
               {:deep, []},
               {:after_only_body, []},
               {:many, []}
             ]) == [
               2,
               43,
               {[1 | 2], %{3 => 4}},
               %{a: 1, b: :x},
               <<4::10, 1::6>>,
               :yes,
               [4, 9],
               [1, 3],
               <<0x12>>,
               [2, 3],
               {5, 6},
               [5, 6],
               :done,
               :b,
               {2, 1},
               {:got, 7},
               :in_order,
               :twice,
               [6, 5, 4, 3, 2, 1, 7]
             ]
    end

    test "in try, catch and after" do
      source = """
      -module(lk_e_try).
      -compile(export_all).
      put(L) -> [self() ! M || M <- L].
      in_after(F) -> put([go]), try F() after receive go -> put([cleaned]) end end.
      after_value(F) -> try in_after(F) of V -> {V, left()} catch C:R -> {C, R, left()} end.
      left() -> receive M -> [M | left()] after 0 -> [] end.
      in_of() -> put([1, 2]), try receive X -> X end of Y -> receive Z -> {Y, Z} end after put([3]) end.
      in_handler() -> put([1]), try error(bad) catch error:bad -> receive X -> {handled, X} end end.
      in_catch() -> put([1, 2]), {catch receive X -> throw(X) end, catch receive Y -> Y end}.
      raising() -> put([boom]), try receive M -> error(M) end catch error:R:S -> {R, element(2, hd(S))} end.
      timeout() -> try receive after 0 -> exit(late) end catch exit:late -> late after ok end.
      nested() ->
        put([a, b]),
        try
          try receive a -> throw(first) end
          after receive b -> put([c]) end
          end
        catch throw:first -> receive c -> all end
        end.
      exported(N) ->
        put([{v, N}, {w, N + 1}]),
        case N of
          0 -> receive {v, X} -> ok end, Y = 0;
          _ -> X = none, receive {w, Y} -> ok end
        end,
        left(),
        {X, Y}.
      uncaught() -> put([x]), receive M -> erlang:error({uncaught, M}) end.
      """

      assert outcomes(source, [
               {:after_value, [fn -> 1 end]},
               {:after_value, [fn -> throw(:t) end]},
               {:after_value, [fn -> exit(:e) end]},
               {:in_of, []},
               {:left, []},
               {:in_handler, []},
               {:in_catch, []},
               {:raising, []},
               {:timeout, []},
               {:nested, []},
               {:exported, [0]},
               {:exported, [1]},
               {:uncaught, []}
             ]) == [
               {1, [:cleaned]},
               {:throw, :t, [:cleaned]},
               {:exit, :e, [:cleaned]},
               {1, 2},
               [],
               {:handled, 1},
               {1, 2},
               {:boom, :raising},
               :late,
               :all,
               {0, 0},
               {:none, 2},
               {:error, {:uncaught, :x}}
             ]
    end
  end

  describe "guards with self() and node()" do
    test "in every place of a guard" do
      source = """
      -module(lk_e_guard).
      -compile(export_all).
      either(P) when P =:= self(); node(P) =:= elsewhere -> yes;
      either(_) -> no.
      both(P, X) when is_pid(P), node(P) =:= node(), X > 0 -> yes;
      both(_, _) -> no.
      lazy(P, X) when is_integer(P) orelse (node(P) =:= node() andalso X > 0) -> yes;
      lazy(_, _) -> no.
      negated(P) when not (node(P) =/= node()) -> yes;
      negated(_) -> no.
      fails(P) when node(P) =:= node() -> yes;
      fails(P) when hd(P) =:= self() -> list;
      fails(_) -> no.
      alternatives(P) when node(P) == x; P == 1 -> one;
      alternatives(P) when hd(P) == x; node(P) == node() -> pid;
      alternatives(_) -> no.
      in_case(P) -> case {P, 1} of {Q, N} when node(Q) == node(), N == 1 -> yes; {Q, _} when Q == self() -> me; _ -> no end.
      in_if(P) -> if node(P) == node() -> yes; is_list(P) -> list end.
      in_fun(P) -> (fun(Q) when node(Q) == node() -> {yes, P == Q}; (_) -> no end)(P).
      in_of(P) -> try P of Q when node(Q) == node() -> yes; Q when Q == self() -> me; _ -> no catch _:_ -> caught end.
      in_catch(P) -> try throw(P) catch throw:Q when node(Q) == node() -> here; throw:Q when is_integer(Q) -> integer; _:_ -> no end.
      in_receive(P) -> self() ! {m, P}, receive {m, Q} when node(Q) == node(); Q == 1 -> yes; {m, _} -> no end.
      filters(L) -> {[P || P <- L, node(P) == node()], [P || P <- L, P == self(), true], << <<1>> || P <- L, node(P) == node() >>}.
      nested(P, Q) -> case P of X when node(X) == node() ->
                        case Q of Y when node(Y) == node(X) -> both; _ when node(X) == a -> a; _ -> left end; _ -> right end.
      no_clause(P, Q) when node(P) == x, node(Q) == y -> never.
      no_case(P) -> case P of X when node(X) == x -> never end.
      no_if(P) -> if node(P) == x -> never end.
      no_fun(P) -> Y = {P}, F = fun(X) when node(X) == x -> Y end, F(P).
      exported(P) -> case P of X when node(X) == node() -> Y = 1; X -> Y = 2 end, {X, Y}.
      in_body(P) -> node(P) == node() andalso self() =/= P.
      tests(P) -> {node(P) == node(), is_pid(self()), element(1, element(2, catch node(17)))}.
      """

      modules = load!(source)
      pid = spawn(fn -> Process.sleep(:infinity) end)

      functions = ~w(either negated fails alternatives in_case in_if in_fun in_of in_catch in_receive in_body tests)a

      for value <- [pid, self(), make_ref(), 1, [self()], :atom],
          function <- functions,
          not (function == :in_body and not is_pid(value) and not is_reference(value)) do
        outcomes_of(modules, [{function, [value]}])
      end

      assert outcomes_of(modules, [
               {:either, [self()]},
               {:either, [1]},
               {:both, [pid, 1]},
               {:both, [pid, 0]},
               {:both, [:x, 1]},
               {:lazy, [1, 0]},
               {:lazy, [pid, 1]},
               {:lazy, [:x, 1]},
               {:fails, [[self()]]},
               {:filters, [[1, self(), pid]]},
               {:nested, [self(), pid]},
               {:nested, [self(), 1]},
               {:nested, [1, pid]},
               {:no_clause, [self(), self()]},
               {:no_clause, [1, 2]},
               {:no_case, [1]},
               {:no_if, [self()]},
               {:no_fun, [:a]},
               {:exported, [self()]},
               {:exported, [1]}
             ]) == [
               :yes,
               :no,
               :yes,
               :no,
               :no,
               :yes,
               :yes,
               :no,
               :list,
               {[self(), pid], [self()], <<1, 1>>},
               :both,
               :left,
               :right,
               {:error, :function_clause},
               {:error, :function_clause},
               {:error, {:case_clause, 1}},
               {:error, :if_clause},
               {:error, :function_clause},
               {self(), 1},
               {1, 2}
             ]
    end
  end

  describe "data" do
    test "binaries, maps and records" do
      source = """
      -module(lk_e_data).
      -compile(export_all).
      -record(r, {a = 1, b = size(<<1, 2>>), c}).
      sizes(B, N) -> S = byte_size(B), <<N:(S * 8), B:(id(S))/binary, (byte_size(B)):8, "tail"/utf8>>.
      id(X) -> X.
      bad_size(N) -> <<1:N>>.
      match(<<N, B:N/binary, R/binary>>) -> {N, B, R};
      match(<<N:4, _:4, F/float>>) -> {N, F};
      match(_) -> other.
      packets(B) -> [{T, V} || <<T, L, V:L/binary>> <= B].
      split(B) -> << <<(X + 1)>> || <<X:4>> <= B >>.
      bits(B) -> [X || <<X:1>> <= B].
      strings(B) -> << <<C/utf8>> || <<C/utf8>> <= B, C =/= $a >>.
      update(X) -> (id(\#{a => 1, b => 2}))\#{a := X, c => id(X)}.
      chain(M) -> M\#{x => 1}\#{y => id(2), x := id(3)}.
      bad_update(M) -> M\#{missing := 1}.
      map_match(\#{a := A, b := \#{c := C}}) -> {A, C};
      map_match(\#{} = M) -> map_size(M).
      keys(K, M) -> \#{K := V} = M, V.
      record(X) -> R = #r{c = X}, {R#r.a, R#r.c, R#r{a = id(X), b = id(2)}, is_record(R, r)}.
      record_match(#r{a = A}) when A > 1 -> big;
      record_match(#r{}) -> small.
      bad_record(R) -> R#r.a.
      large() -> {lists:seq(1, 3), "text", 1.5, 1 bsl 70, $a, [{k, \#{[] => {}}}], fun lists:map/2, fun ?MODULE:id/1}.
      strings_literal("prefix" ++ Rest) -> Rest.
      """

      assert [<<5::16, "ab", 2, "tail">>, {:error, :badarg}, {1, "a", "bc"}, {4, 1.5}, :other] =
               outcomes(source, [
                 {:sizes, ["ab", 5]},
                 {:bad_size, [-1]},
                 {:match, [<<1, "abc">>]},
                 {:match, [<<0x4F, 1.5::float>>]},
                 {:match, [1]}
               ])

      assert outcomes(source, [
               {:packets, [<<1, 2, "ab", 2, 0, 3, 1, "c">>]},
               {:split, [<<0x12, 0x34>>]},
               {:bits, [<<5::3>>]},
               {:strings, ["aäb"]},
               {:update, [7]},
               {:chain, [%{}]},
               {:bad_update, [%{}]},
               {:bad_update, [1]},
               {:map_match, [%{a: 1, b: %{c: 2}}]},
               {:map_match, [%{a: 1}]},
               {:keys, [:k, %{k: 1}]},
               {:keys, [:k, %{}]},
               {:record, [9]},
               {:record_match, [{:r, 2, 0, 0}]},
               {:bad_record, [1]},
               {:strings_literal, [~c"prefix-rest"]}
             ]) == [
               [{1, "ab"}, {2, ""}, {3, "c"}],
               <<2, 3, 4, 5>>,
               [1, 0, 1],
               "äb",
               %{a: 7, b: 2, c: 7},
               %{x: 3, y: 2},
               {:error, {:badkey, :missing}},
               {:error, {:badmap, 1}},
               {1, 2},
               1,
               1,
               {:error, {:badmatch, %{}}},
               {1, 9, {:r, 9, 2, 9}, true},
               :big,
               {:error, {:badrecord, 1}},
               ~c"-rest"
             ]

      {module, guest} = load!(source)
      assert tuple_size(guest.large()) == 8
      assert Enum.take(Tuple.to_list(guest.large()), 6) == Enum.take(Tuple.to_list(module.large()), 6)
      assert elem(guest.large(), 7).(3) == 3
    end
  end

  describe "calls" do
    test "of modules and functions in variables, by apply and as funs" do
      source = """
      -module(lk_e_calls).
      -compile(export_all).
      dynamic(M, F, X) -> {M:F(X), apply(M, F, [X]), erlang:apply(M, F, [X]), (fun M:F/1)(X)}.
      funs(F, X) -> {F(X), apply(F, [X]), erlang:apply(F, [X]), lists:map(F, [X])}.
      positions(M) -> [apply(M, reverse, [[1, 2]]) || _ <- [1]] ++ case apply(M, reverse, [[3, 4]]) of [A | _] -> [A] end.
      tail(F, 0) -> F(done);
      tail(F, N) -> apply(fun tail/2, [F, N - 1]).
      try_apply(M, F, A) -> try apply(M, F, A) catch C:R -> {C, R} end.
      in_guarded(F) -> case F of _ when is_function(F, 1) -> F(1); _ -> not_a_fun end.
      local() -> [F(2) || F <- [fun id/1, fun lk_e_calls:id/1, fun(X) -> X * X end]].
      literal() -> [F(M) || {F, M} <- [{fun erlang:abs/1, -3}, {fun erlang:length/1, [a]}]].
      id(X) -> X.
      size(X) -> {mine, X}.
      shadows(X) -> {size(X), erlang:size(X)}.
      bad_fun(F) -> F(1).
      undefined() -> nowhere:to_be_found(1).
      undefined_apply(M) -> M:to_be_found(1, 2).
      bad_module(M) -> M:f(1).
      improper(L) -> apply(lists, reverse, L).
      """

      source =
        String.replace(source, "-compile(export_all).", "-compile([export_all, {no_auto_import, [{size, 1}]}]).")

      assert outcomes(source, [
               {:dynamic, [:lists, :reverse, [1, 2]]},
               {:dynamic, [:lk_e_calls, :id, 1]},
               {:funs, [&(&1 + 1), 1]},
               {:funs, [&Integer.to_string/1, 1]},
               {:positions, [:lists]},
               {:tail, [&{&1}, 5]},
               {:try_apply, [:erlang, :abs, [:x]]},
               {:try_apply, [:erlang, :throw, [:x]]},
               {:in_guarded, [& &1]},
               {:in_guarded, [1]},
               {:local, []},
               {:literal, []},
               {:shadows, [{1, 2}]},
               {:bad_fun, [:x]},
               {:bad_module, [1]},
               {:bad_module, [{:lists, 1}]}
             ]) == [
               {[2, 1], [2, 1], [2, 1], [2, 1]},
               {1, 1, 1, 1},
               {2, 2, 2, [2]},
               {"1", "1", "1", ["1"]},
               [[2, 1], 4],
               {:done},
               {:error, :badarg},
               {:throw, :x},
               1,
               :not_a_fun,
               [2, 2, 4],
               [3, 1],
               {{:mine, {1, 2}}, 2},
               {:error, {:badfun, :x}},
               {:error, :badarg, {:erlang, :apply, [1, :f, [1]]}},
               {:error, :badarg, {:erlang, :apply, [{:lists, 1}, :f, [1]]}}
             ]

      assert [
               {:error, :undef, {:nowhere, :to_be_found, [1]}},
               {:error, :undef, {:nowhere, :to_be_found, [1, 2]}}
             ] = outcomes(source, undefined: [], undefined_apply: [:nowhere])
    end

    test "with a tuple for a module, where the module is compiled for that" do
      body =
        "-export([f/1, get/1, go/2]). f({M, _} = T) -> {T:get(), T:go(1), M:id(2)}. get({_, X}) -> X. go(N, {_, X}) -> {N, X}."

      for {attribute, options} <- [
            {"-compile(tuple_calls).", []},
            {"-compile([tuple_calls]).", []},
            {"", [:tuple_calls]}
          ] do
        source = "-module(lk_e_tuple). #{attribute} -export([id/1]). #{body} id(X) -> X."
        assert outcomes(source, [f: [{:lk_e_tuple, :state}]], options) == [{:state, {1, :state}, 2}]
      end

      source = "-module(lk_e_no_tuple). -export([id/1]). #{body} id(X) -> X."
      assert [{:error, :badarg, {:erlang, :apply, _}}] = outcomes(source, f: [{:lk_e_no_tuple, :state}])
    end
  end

  describe "modules compiled with" do
    test "inlining show the same frames" do
      body = """
      -export([f/1, g/1, h/1]).
      f(X) -> {small(X), receive_one(X)}.
      g(X) -> [small(Y) || Y <- X].
      h(X) -> lists:map(fun(Y) -> small(Y) end, X).
      small(X) when X > 0 -> 10 / X;
      small(0) -> 1 / 0.
      receive_one(X) -> self() ! X, receive Y when Y < 100 -> Y; Z -> error({large, Z}) end.
      """

      for attribute <- [
            "",
            "-compile(inline).",
            "-compile({inline, [small/1, receive_one/1]}).",
            "-compile([inline, inline_list_funcs])."
          ] do
        source = "-module(lk_e_inline). #{attribute}\n#{body}"

        assert [{10.0, 1}, {:error, :badarith, _}, {:error, {:large, 100}}, [10.0], _, [10.0], _] =
                 Enum.map(
                   outcomes(source, f: [1], f: [0], f: [100], g: [[1]], g: [[1, 0]], h: [[1]], h: [[-1]]),
                   &with({:error, :badarith} <- &1, do: {:error, :badarith, nil})
                 )
      end
    end

    test "export_all, a parse transform or other directives" do
      source = """
      -module(lk_e_directives).
      -compile([export_all, nowarn_export_all, {parse_transform, ms_transform}]).
      -compile({nowarn_unused_function, [{h, 0}]}).
      f() -> ets:fun2ms(fun({K, V}) when V > 1, node(K) == x -> {K, self()} end).
      g() -> lists:sort([X || {X, _} <- lk_e_directives:module_info(exports)]).
      h() -> hidden.
      """

      assert [[{{:"$1", :"$2"}, _, _}], [:f, :g, :h, :module_info, :module_info]] = outcomes(source, f: [], g: [])
      source = "-module(lk_e_export_all). f() -> 1. g() -> f()."
      assert outcomes(source, [f: [], g: []], [:export_all]) == [1, 1]
    end

    test "a fallback for undefined functions" do
      source = """
      -module(lk_e_fallback).
      -export([f/0, '$handle_undefined_function'/2]).
      f() -> lk_e_fallback:missing(1, 2).
      '$handle_undefined_function'(Name, Arguments) -> {Name, Arguments}.
      """

      {module, guest} = load!(source)
      assert module.f() == {:missing, [1, 2]}
      Code.ensure_loaded!(Lockstep.Instrument.Handler)
      Process.flag(:error_handler, Lockstep.Instrument.Handler)
      assert guest.f() == {:missing, [1, 2]}
    end

    test "the maybe expression" do
      source = """
      -module(lk_e_maybe).
      -feature(maybe_expr, enable).
      -export([f/1, g/1]).
      f(X) -> maybe {ok, A} ?= X, self() ! A, {ok, B} ?= receive M when node() =/= x -> M end, {both, A, B}
              else error -> failed; Other when node(Other) == node() -> Other; Other -> {other, Other} end.
      g(X) -> maybe {ok, A} ?= X, A end.
      """

      calls = [f: [{:ok, {:ok, 1}}], f: [:error], f: [{:ok, 2}], f: [self()], g: [{:ok, 1}], g: [:no]]
      assert outcomes(source, calls) == [{:both, {:ok, 1}, 1}, :failed, {:other, 2}, self(), 1, :no]
    end
  end
end
