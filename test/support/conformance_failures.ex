defmodule Conformance.Failures do
  @moduledoc false
  # Code that fails, in every way there is. It is compiled as usual: on the plain VM nothing of it is instrumented.

  # Not known to the compiler, which would see what is wrong.
  defp unknown(value), do: Process.get(:nothing, value)

  def deep(0, fun), do: fun.()
  def deep(n, fun), do: [deep(n - 1, fun) | n]

  def only_one(1), do: 1

  defp nested(reason) do
    try do
      exit(reason)
    catch
      :exit, caught -> exit({:again, caught})
    after
      Process.put(:after, true)
    end
  end

  failures = [
    function_clause: quote(do: only_one(unknown(2))),
    case_clause: quote(do: case(unknown(1), do: (2 -> :ok))),
    cond_clause: quote(do: cond(do: (unknown(nil) -> :ok))),
    with_clause: quote(do: with(1 <- unknown(2), do: :ok, else: (3 -> :no))),
    try_clause: quote(do: try(do: unknown(1), rescue: (_ -> :no), else: (2 -> :ok))),
    badmatch: quote(do: {:ok, _} = unknown({:error, 1})),
    badarith: quote(do: 1 + unknown(:a)),
    division: quote(do: div(1, unknown(0))),
    badfun: quote(do: unknown(:no_fun).()),
    badarity: quote(do: unknown(fn -> 1 end).(1)),
    badmap: quote(do: %{unknown(1) | a: 1}),
    badkey: quote(do: %{unknown(%{b: 1}) | a: 1}),
    key: quote(do: unknown(%{b: 1}).a),
    boolean: quote(do: unknown(1) and true),
    binary: quote(do: <<unknown(:a)::8>>),
    undef: quote(do: unknown(__MODULE__).none(1)),
    undef_module: quote(do: unknown(:no_such_module).f(1)),
    bif: quote(do: :erlang.atom_to_list(unknown(1))),
    bif_in_fun: quote(do: :lists.map(&:erlang.atom_to_list/1, [unknown(1)])),
    library: quote(do: Map.fetch!(unknown(%{}), :a)),
    enum: quote(do: Enum.map([1, unknown(0)], &div(1, &1))),
    reduce: quote(do: Enum.reduce(1..3, 0, fn n, acc -> acc + unknown(:a) + n end)),
    protocol: quote(do: Enum.count(unknown(1))),
    to_string: quote(do: to_string(unknown({1}))),
    integer: quote(do: String.to_integer(unknown("a"))),
    limit: quote(do: String.to_atom(String.duplicate("a", unknown(256)))),
    ets: quote(do: :ets.lookup(unknown(:no_table), 1)),
    send: quote(do: send(unknown(:no_name), 1)),
    link: quote(do: Process.link(unknown(:no_pid))),
    register: quote(do: Process.register(self(), unknown(nil))),
    raise: quote(do: raise("boom")),
    raise_argument: quote(do: raise(ArgumentError, "what")),
    reraise: quote(do: reraise(RuntimeError, [{:m, :f, 1, []}])),
    throw: quote(do: throw({:a, "ball"})),
    throw_from_library: quote(do: Enum.each([1], &throw/1)),
    error: quote(do: :erlang.error(:mine)),
    error_args: quote(do: :erlang.error(:mine, [1, 2])),
    error_none: quote(do: :erlang.error(:mine, :none)),
    raised: quote(do: :erlang.raise(:error, :mine, [{:m, :f, [1], [file: ~c"x.erl", line: 3]}])),
    raised_exit: quote(do: :erlang.raise(:exit, :mine, [{:m, :f, 1, []}])),
    raised_throw: quote(do: :erlang.raise(:throw, :mine, [{:m, :f, 1, []}])),
    raised_badly: quote(do: :erlang.raise(unknown(:none), :mine, [])),
    exit: quote(do: exit({:any, %{term: 1}})),
    exit_like_a_crash: quote(do: exit({:mine, [{:m, :f, 1, []}]})),
    exit_with_improper_stack: quote(do: exit({:mine, [{:m, :f, 1, []} | :x]})),
    exit_normal: quote(do: exit(:normal)),
    nested: quote(do: nested(:first)),
    timeout: quote(do: receive(do: (:never -> :ok), after: (unknown(-1) -> :ok))),
    timeout_atom: quote(do: receive(do: (:never -> :ok), after: (unknown(:soon) -> :ok))),
    deep: quote(do: deep(4, fn -> raise("deep") end)),
    very_deep: quote(do: deep(40, fn -> :erlang.error(:deep) end)),
    fun_in_fun: quote(do: (fn -> (fn -> hd(unknown([])) end).() end).()),
    comprehension: quote(do: for(n <- [1, 0], do: 1 / unknown(n))),
    improper: quote(do: for(n <- unknown([1 | 2]), do: n)),
    generator: quote(do: for(n <- unknown(:no_list), do: n)),
    apply: quote(do: apply(unknown(__MODULE__), :only_one, [2])),
    apply_badly: quote(do: apply(unknown(1), :only_one, [2])),
    apply_improper: quote(do: apply(__MODULE__, :only_one, unknown([2 | 3]))),
    spawn: quote(do: spawn(unknown(:no_fun))),
    monitor: quote(do: Process.monitor(unknown(1))),
    flag: quote(do: Process.flag(:trap_exit, unknown(1))),
    exit_signal: quote(do: Process.exit(unknown(1), :kill)),
    info: quote(do: Process.info(self(), unknown(:no_item))),
    timer: quote(do: Process.send_after(self(), 1, unknown(-1))),
    hibernate: quote(do: :erlang.hibernate(unknown(1), :f, []))
  ]

  @doc "The failures there are."
  def names, do: unquote(Keyword.keys(failures))

  @doc "Fails; what returns all the same says so."
  def fail(name)

  for {name, code} <- failures do
    def fail(unquote(name)), do: {unquote(code)}
  end
end
