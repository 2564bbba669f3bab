defmodule Lockstep.Instrument.CallsTest do
  use ExUnit.Case, async: true

  alias Lockstep.Instrument.Calls
  alias Lockstep.Instrument.Calls.{BIFs, ElixirLib, OTP, Redirects}

  defp expand(table), do: for({name, arities} <- table, arity <- arities, do: {name, arity})

  describe "the functions of :erlang" do
    defp undecided(exports) do
      redirected = for {{:erlang, name, arity}, _} <- Redirects.entries(), do: {name, arity}
      exports -- (redirected ++ expand(BIFs.native()) ++ expand(BIFs.escapes()) ++ expand(BIFs.refused()))
    end

    test "are all native, redirected, escapes or refused on purpose" do
      assert undecided(:erlang.module_info(:exports)) == []
      # One that nobody has decided about would be found.
      assert undecided([{:from_a_later_release, 3} | :erlang.module_info(:exports)]) == [from_a_later_release: 3]
    end

    test "are on one list only" do
      redirected = for {{:erlang, name, arity}, _} <- Redirects.entries(), do: {name, arity}
      decided = redirected ++ expand(BIFs.native()) ++ expand(BIFs.escapes()) ++ expand(BIFs.refused())

      assert decided -- Enum.uniq(decided) == []
    end

    test "are escapes when they are not known" do
      assert Calls.classify(:erlang, :from_a_later_release, 3) == :escape
    end
  end

  describe "the functions of :ets" do
    # What a later release has, named here so that an earlier one checks it too.
    @later [
      first_lookup: 1,
      next_lookup: 2,
      last_lookup: 1,
      prev_lookup: 2,
      update_element: 4,
      lookup_element: 4,
      module_info: 0
    ]

    # Disk tables, and what the VM's own code calls.
    @escapes [from_dets: 2, internal_request_all: 0, to_dets: 2]

    test "are all redirected, pure, Erlang code that makes use of these, or escapes on purpose" do
      classes =
        for {name, arity} <- Enum.uniq(:ets.module_info(:exports) ++ @later),
            class = Calls.classify(:ets, name, arity),
            do: {{name, arity}, class}

      assert Enum.sort(for {key, :escape} <- classes, do: key) == @escapes
      native = Enum.sort(for {{name, _}, :native} <- classes, do: name)
      assert Enum.uniq(native) == [:fun2ms, :module_info, :test_ms]
      guest = Enum.sort(for {{name, _}, :guest} <- classes, do: name)

      assert Enum.uniq(guest) ==
               ~w(delete_all_objects file2tab foldl foldr i init_table match_delete match_spec_run select_delete
                  tab2file tab2list tabfile_info table)a

      assert Enum.all?(classes, fn {_, class} ->
               class in [:escape, :native, :guest] or match?({:runtime, _, _}, class)
             end)
    end
  end

  test "the functions of :persistent_term, :atomics and :counters are all redirected" do
    for module <- [:persistent_term, :atomics, :counters],
        {name, arity} <- module.module_info(:exports),
        name != :module_info do
      assert {module, name, match?({:runtime, _, _}, Calls.classify(module, name, arity))} == {module, name, true}
    end
  end

  describe "classify/3" do
    test "redirects what the simulation has its own version of" do
      assert Calls.classify(:erlang, :self, 0) == {:runtime, Lockstep.Runtime.Process, :self}
      assert Calls.classify(:erlang, :!, 2) == {:runtime, Lockstep.Runtime.Message, :send}
      assert Calls.classify(:os, :timestamp, 0) == {:runtime, Lockstep.Runtime.Clock, :timestamp}
      assert Calls.classify(Kernel, :spawn, 1) == {:runtime, Lockstep.Runtime.Spawning, :spawn}
    end

    test "leaves pure code alone" do
      for {module, function, arity} <- [
            {:lists, :map, 2},
            {String, :upcase, 1},
            {Inspect.Map, :inspect, 2},
            {KeyError, :message, 1}
          ] do
        assert Calls.classify(module, function, arity) == :native
      end
    end

    test "sends everything it does not know to a copy" do
      assert Calls.classify(GenServer, :call, 2) == :guest
      assert Calls.classify(Some.Application, :start, 2) == :guest
    end

    test "lets nothing of the outside world pass unnoticed" do
      for {module, function, arity} <- [
            {:erlang, :open_port, 2},
            {File, :read, 1},
            {:gen_tcp, :connect, 3},
            {System, :cmd, 2},
            {:ets, :from_dets, 2},
            {:crypto, :generate_key, 2},
            {:persistent_term, :from_a_later_release, 2},
            {EEx, :eval_string, 2},
            {Module, :create, 3},
            {:elixir_module, :compile, 4},
            {Mix.Project, :config, 0},
            {:httpc, :request, 1}
          ] do
        assert {module, Calls.classify(module, function, arity)} == {module, :escape}
      end
    end

    test "refuses to stop the VM, and the real cluster" do
      for {module, function, arity} <- [
            {:init, :restart, 0},
            {System, :restart, 0},
            {:net_adm, :world, 0}
          ] do
        assert {module, Calls.classify(module, function, arity)} == {module, :refuse}
      end
    end

    test "tells apart the functions of one module" do
      assert Calls.classify(DateTime, :from_unix, 1) == :native
      assert Calls.classify(DateTime, :utc_now, 0) == :guest
      assert Calls.classify(:erl_prim_loader, :get_file, 1) == :native
      assert Calls.classify(:erl_prim_loader, :set_path, 1) == :escape
    end

    test "lets every module answer for itself" do
      assert Calls.classify(File, :module_info, 1) == :native
      assert Calls.classify(Some.Struct, :__struct__, 0) == :native
    end

    test "leaves Lockstep alone" do
      assert Calls.classify(Lockstep, :spawn, 1) == :native
      assert Calls.classify(Lockstep.Cluster, :heal, 0) == :native
      assert Calls.classify(LockstepExtra, :heal, 0) == :guest
      assert Calls.classify(Lockstep.ClusterTest.Counter, :start_link, 0) == :guest
    end
  end

  test "no module is on two lists" do
    mixed = for {module, _, _} <- OTP.mixed() ++ ElixirLib.mixed(), do: module
    listed = mixed ++ OTP.native() ++ OTP.escapes() ++ OTP.refused() ++ ElixirLib.native() ++ ElixirLib.escapes()

    assert listed -- Enum.uniq(listed) == []
  end

  test "copied?/1 is true of modules with at least one function in a copy" do
    assert Calls.copied?(GenServer)
    assert Calls.copied?(DateTime)
    refute Calls.copied?(String)
    refute Calls.copied?(File)
  end

  test "every redirect has its function in the runtime" do
    missing =
      for {{_, _, arity}, {:runtime, module, function}} <- Redirects.entries(),
          Code.ensure_loaded!(module),
          not function_exported?(module, function, arity),
          do: {module, function, arity}

    assert Enum.uniq(missing) == []
  end
end
