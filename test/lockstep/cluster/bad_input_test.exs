defmodule Lockstep.Cluster.BadInputTest do
  use ExUnit.Case, async: true
  use Lockstep

  alias Lockstep.{Cluster, ClusterError, OutsideRunError, Runner}

  # Every function with arguments that are right, and what each of them is.
  defp calls do
    fun = fn -> :ok end

    [
      {:start_nodes, [names: [:c], start_options: []]},
      {:start_node, [node: :a, start: []]},
      {:node_of, [pid: self()]},
      {:spawn, [anywhere: :a, function: fun]},
      {:spawn_link, [anywhere: :a, function: fun]},
      {:run, [anywhere: :a, function: fun]},
      {:stop_node, [node: :a]},
      {:crash_node, [node: :a]},
      {:pause_node, [node: :a]},
      {:resume_node, [node: :a]},
      {:pause, [pid: self(), milliseconds: 1]},
      {:monitor_node, [anywhere: :a]},
      {:partition, [groups: [[:a], [:b]]]},
      {:partition, [groups: [[:a], [:b]], mode: :drop]},
      {:partition, [group: [:a], group: [:b]]},
      {:partition, [group: [:a], group: [:b], mode: :drop]},
      {:partition_oneway, [some: :a, some: :b, mode: :tcp]},
      {:heal, [node: :a]},
      {:heal, [node: :a, node: :b]},
      {:hold, [some: :a, some: :b]},
      {:release, [some: :a, some: :b]},
      {:disconnect, [node: :a, node: :b]},
      {:connect, [node: :a, node: :b]},
      {:flap, [node: :a, node: :b, options: []]},
      {:set_latency, [range: 0..5]},
      {:set_latency, [node: :a, range: 0..5]},
      {:set_latency, [node: :a, node: :b, range: 0..5]},
      {:set_ticktime, [milliseconds: 1]},
      {:set_clock, [node: :a, clock: [offset: 1]]},
      {:settle, [options: []]},
      {:duration, [options: []]}
    ]
  end

  defp garbage do
    [nil, true, 1, -1, 1.5, 10 ** 30, "a", ~c"a", :nowhere, :undefined, [], [1], [:a | :b], [[:a] | [:b]], [[:a]]] ++
      [[[:a], [:a]], [[], [:a]], [[:a, :nonode@nohost], [:b]], %{}, %{a: 1}, {:a, :b}, self(), make_ref(), 5..1//1] ++
      [-5..5, 0..10//2, 0..(10 ** 30), [nothing: 1], [{"start", 1}], fn -> :ok end, fn _ -> :ok end, :nonode@nohost]
  end

  # What of it is right after all.
  defp right?(:names, value), do: value == []
  defp right?(:start_options, value), do: value == []
  defp right?(:options, value), do: value == []

  defp right?(:start, value),
    do: value == [] or value in [:nowhere, :undefined, :nonode@nohost] or is_function(value, 0)

  defp right?(:pid, value), do: is_pid(value)
  defp right?(:function, value), do: is_function(value, 0)
  defp right?(:milliseconds, value), do: value == 1
  defp right?(:anywhere, value), do: value == :nonode@nohost
  defp right?(_kind, _value), do: false

  defp inside(fun, options \\ []) do
    body = fn ->
      Cluster.start_nodes([:a, :b])
      before = picture()
      fun.()
      assert picture() == before
    end

    # Hundreds of calls are refused before any of them comes to a scheduling point.
    Runner.run(body, [seeds: 1, watchdog: 30_000] ++ options)
  end

  defp picture do
    {Cluster.list(), Cluster.list_up(), for(node <- [:a, :b], do: Cluster.run(node, fn -> Node.list() end))}
  end

  defp error(function, arguments) do
    {:returned, apply(Cluster, function, arguments)}
  rescue
    error -> error
  end

  test "of any kind, in any place of any function, raises a ClusterError before anything happens" do
    inside(fn ->
      for {function, arguments} <- calls(), index <- 0..(length(arguments) - 1), value <- garbage() do
        {kind, _} = Enum.at(arguments, index)
        given = arguments |> Keyword.values() |> List.replace_at(index, value)
        unless right?(kind, value), do: check(error(function, given), function, given)
      end
    end)
  end

  test "as the value of any option raises one" do
    inside(fn ->
      for {function, first, good} <- options(), {option, _} <- good, value <- garbage() do
        unless good_option?(option, value), do: check(error(function, first ++ [[{option, value}]]), function, value)
      end
    end)
  end

  defp options do
    [
      {:start_nodes, [[:c]], connect: true, hidden: true, cookie: :x, env: [], start: :x},
      {:start_node, [:a], connect: true, hidden: true, cookie: :x, env: [], start: :x},
      {:flap, [:a, :b], times: 1, down: 1, up: 1, mode: :drop},
      {:set_clock, [:a], offset: 1, jump: 1, drift: 1},
      {:settle, [], quiet: 1, within: 1},
      {:duration, [], around: 1, up_to: 1}
    ]
  end

  defp good_option?(option, value) when option in [:connect, :hidden], do: is_boolean(value)
  defp good_option?(:cookie, value), do: is_atom(value) and value != nil

  defp good_option?(:start, value),
    do: is_function(value, 0) or (is_atom(value) and value not in [nil, true])

  defp good_option?(:env, value), do: value == []
  defp good_option?(option, value) when option in [:offset, :jump, :drift], do: value in [1, -1]
  defp good_option?(:mode, _value), do: false
  defp good_option?(:around, value), do: value in [1, [1], ~c"a"]
  defp good_option?(_time, value), do: value == 1

  test "among the settings of kernel raises one" do
    inside(fn ->
      for {key, values} <- [
            net_ticktime: [0, -1, 1.5, 10 ** 30, :infinity, nil],
            net_tickintensity: [3, 1001, :x, 5.0],
            dist_auto_connect: [:always, true, nil],
            connect_all: [1, nil, :never],
            prevent_overlapping_partitions: [nil, 0]
          ],
          value <- values do
        check(error(:start_nodes, [[:c], [env: [kernel: [{key, value}]]]]), :start_nodes, {key, value})
      end
    end)
  end

  defp check(%ClusterError{} = error, _function, _given) do
    message = Exception.message(error)
    assert [said, remedy] = String.split(message, "; ", parts: 2)
    assert String.length(said) > 10 and String.length(remedy) > 5
  end

  defp check(other, function, given), do: flunk("#{function} #{inspect(given)}: #{inspect(other)}")

  # The reason for which a call inside a run, with the nodes :a and :b, is refused.
  defp reason(fun) do
    {:failed, failure} = Runner.explore(fn -> Cluster.start_nodes([:a, :b]) && fun.() end, seeds: 1, shrink: false)
    assert {:crash, :error, %ClusterError{reason: reason}, _stack} = failure.error
    reason
  end

  test "is named by the reason" do
    for {fun, expected} <- [
          {fn -> Cluster.spawn(:x, fn -> :ok end) end, {:unknown_node, :x, [:nonode@nohost, :a, :b]}},
          {fn -> Cluster.start_node(:x) end, {:unknown_node, :x, [:nonode@nohost, :a, :b]}},
          {fn -> Cluster.partition([:a], [:x]) end, {:unknown_node, :x, [:nonode@nohost, :a, :b]}},
          {fn -> Cluster.run(:a, :fun) end, {:not_a_function, :fun}},
          {fn -> Cluster.start_nodes("a") end, {:not_nodes, "a"}},
          {fn -> Cluster.start_nodes([nil]) end, {:not_nodes, [nil]}},
          {fn -> Cluster.stop_node("a") end, {:not_a_node, "a"}},
          {fn -> Cluster.partition(:a, [:b]) end, {:not_nodes, :a}},
          {fn -> Cluster.partition([:a, :b]) end, {:not_nodes, :a}},
          {fn -> Cluster.node_of(:a) end, {:unknown_process, :a}},
          {fn -> Cluster.partition([:a, :b], [:b]) end, {:overlapping_groups, :b}},
          {fn -> Cluster.hold([:a, :b], :b) end, {:overlapping_groups, :b}},
          {fn -> Cluster.partition([:a], []) end, {:empty_group, [[:a], []]}},
          {fn -> Cluster.partition([[:a]]) end, {:empty_group, [[:a]]}},
          {fn -> Cluster.partition_oneway([], :b) end, {:empty_group, [[]]}},
          {fn -> Cluster.partition([:a], [:b], :slow) end, {:unknown_mode, :slow}},
          {fn -> Cluster.partition([:a], :b) end, {:unknown_mode, :b}},
          {fn -> Cluster.partition([:a], [:b], :hold) end, {:unknown_mode, :hold}},
          {fn -> Cluster.stop_node(:nonode@nohost) end, {:control_node, "stopped"}},
          {fn -> Cluster.start_node(:nonode@nohost) end, {:control_node, "started"}},
          {fn -> Cluster.start_nodes([:nonode@nohost]) end, {:control_node, "started"}},
          {fn -> Cluster.partition([:nonode@nohost], [:a]) end, {:control_node, "partitioned"}},
          {fn -> Cluster.heal(:nonode@nohost) end, {:control_node, "healed"}},
          {fn -> Cluster.resume_node(:nonode@nohost) end, {:control_node, "resumed"}},
          {fn -> Cluster.connect(:a, :a) end, {:same_node, :a}},
          {fn -> Cluster.set_ticktime(1.5) end, {:invalid_ticktime, 1.5}},
          {fn -> Cluster.pause(self(), -1) end, {:invalid_time, -1}},
          {fn -> Cluster.set_latency(5..1//1) end, {:invalid_latency, 5..1//1}},
          {fn -> Cluster.set_latency(:a, 5) end, {:invalid_latency, 5}},
          {fn -> Cluster.set_latency(:a, :b, 5) end, {:invalid_latency, 5}},
          {fn -> Cluster.set_clock(:a, []) end, {:not_options, []}},
          {fn -> Cluster.set_clock(:a, skew: 1) end, {:unknown_option, :skew, [:offset, :jump, :drift]}},
          {fn -> Cluster.flap(:a, :b, down: -1) end, {:bad_option, {:down, -1}}},
          {fn -> Cluster.settle(quiet: :long) end, {:bad_option, {:quiet, :long}}},
          {fn -> Cluster.start_node(:a, nil) end, {:bad_option, {:start, nil}}},
          {fn -> Cluster.start_nodes([:c], start: :no_such_app) end,
           {:application, :c, :no_such_app, {:no_such_app, {~c"no such file or directory", ~c"no_such_app.app"}}}},
          {fn -> Cluster.stop_node(:a) && Cluster.spawn(:a, fn -> :ok end) end, {:node_down, :a}},
          {fn -> Cluster.stop_node(:a) && Cluster.run(:a, fn -> :ok end) end, {:node_down, :a}},
          {fn -> Cluster.crash_node(:a) && Cluster.pause_node(:a) end, {:node_down, :a}},
          {fn -> Cluster.crash_node(:a) && Cluster.resume_node(:a) end, {:node_down, :a}}
        ] do
      assert reason(fun) == expected
    end
  end

  test "outside of a run any call at all raises an OutsideRunError that names it" do
    for {function, arguments} <- calls() ++ [list: [], list_up: [], node_of: [], heal: [], settle: [], duration: []],
        values <- [Keyword.values(arguments), for(_ <- arguments, do: "garbage")] do
      error = assert_raise(OutsideRunError, fn -> apply(Cluster, function, values) end)
      assert Exception.message(error) =~ "Lockstep.Cluster.#{function}/"
    end
  end

  test "every reason that is documented has a text that ends with a remedy" do
    for reason <- [
          {:not_a_node, 1},
          {:not_nodes, 1},
          {:unknown_node, :x, [:a]},
          {:node_down, :a},
          {:control_node, "stopped"},
          {:not_a_function, 1},
          {:unknown_process, 1},
          {:overlapping_groups, :a},
          {:empty_group, [[]]},
          {:unknown_mode, :x},
          {:invalid_ticktime, -1},
          {:invalid_time, -1},
          {:invalid_latency, -1},
          {:same_node, :a},
          {:not_options, 1},
          {:unknown_option, :x, [:y]},
          {:bad_option, {:connect, 1}},
          {:application, :a, :b, :c}
        ] do
      {:docs_v1, _, _, _, %{"en" => docs}, _, _} = Code.fetch_docs(ClusterError)
      assert docs =~ "`{#{inspect(elem(reason, 0))}, "
      assert Exception.message(%ClusterError{reason: reason}) =~ "; "
    end
  end
end
