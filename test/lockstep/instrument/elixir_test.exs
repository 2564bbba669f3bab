defmodule Lockstep.Instrument.ElixirTest do
  # Elixir in all its forms: a guest does what its module does, down to the stack traces.
  use ExUnit.Case, async: true

  import Lockstep.InstrumentFixture

  alias Lockstep.Instrument
  alias Lockstep.Instrument.{Handler, Source}

  defmodule Shapes do
    defprotocol Area do
      @fallback_to_any true
      def of(shape, scale \\ 1)
    end

    defprotocol Strict do
      def name(shape)
    end

    defimpl Strict, for: Any do
      defmacro __deriving__(module, _struct, _options) do
        quote do
          defimpl Strict, for: unquote(module) do
            def name(shape), do: {:derived, __MODULE__, shape.__struct__, self() == self()}
          end
        end
      end

      def name(_), do: :any
    end

    defmodule Square do
      @derive [Strict]
      defstruct side: 1
    end

    defmodule Circle do
      defstruct radius: 1
    end

    defmodule Unknown do
      defstruct []
    end

    defimpl Area, for: Square do
      def of(square, scale), do: square.side * square.side * scale
    end

    defimpl Area, for: [Circle, Integer] do
      def of(shape, scale), do: {@for, @protocol, scale, receiving(shape)}

      defp receiving(shape) do
        send(self(), {:shape, shape})
        receive do: ({:shape, ^shape} -> :received)
      end
    end

    defimpl Area, for: Any do
      def of(_, _), do: :any
    end

    def run do
      [
        Area.of(%Square{side: 2}),
        Area.of(%Circle{}, 3),
        Area.of(7),
        Area.of("other"),
        Area.impl_for(1.5),
        Strict.name(%Square{}),
        Strict.impl_for(%Unknown{})
      ]
    end

    def undefined, do: Strict.name(%Unknown{})
  end

  defmodule Macros do
    defmacro with_reply(message, do: block) do
      quote do
        send(self(), {__MODULE__, unquote(message)})

        receive do
          {__MODULE__, var!(reply)} when node() == node(self()) -> unquote(block)
        end
      end
    end

    defguard is_here(pid) when node(pid) == node() and pid == self()

    defmacro __using__(options) do
      quote do
        @behaviour Access
        @options unquote(options)
        @before_compile unquote(__MODULE__)
        def options, do: @options
        def fetch(_, key), do: {:ok, {key, self()}}
        def get_and_update(_, _, _), do: :none
        def pop(_, _), do: :none
        defoverridable options: 0
      end
    end

    defmacro __before_compile__(env) do
      for name <- [:first, :second] do
        quote do
          def unquote(name)(), do: {unquote(name), unquote(env.module), __MODULE__}
        end
      end
    end
  end

  defmodule Forms do
    use Macros, a: 1
    import Macros
    require Macros

    defstruct [:x, y: 2]
    defdelegate reverse(list), to: Enum
    defdelegate upper(text), to: String, as: :upcase

    def options, do: [:overridden | super()]
    def macro, do: with_reply(:hello, do: {:got, reply})
    def guards(pid) when is_here(pid), do: :here
    def guards(pid) when is_pid(pid) and node(pid) != node(), do: :elsewhere
    def guards(_), do: :other
    def access(%__MODULE__{} = struct), do: {struct[:key] == {:key, self()}, struct.y, %{struct | x: 3}}

    def with_else(value) do
      with {:ok, a} <- value,
           send(self(), {:with, a}),
           b when b > 1 <- receive(do: ({:with, b} -> b)),
           %{c: c} <- %{c: a + b} do
        {a, b, c}
      else
        :error -> :failed
        n when is_integer(n) -> {:small, n}
      end
    end

    def comprehensions(list) do
      for message <- list, do: send(self(), {:item, message})

      {for(_ <- list, do: receive(do: ({:item, x} -> x))),
       for(x <- list, y <- [1, 2], rem(x, 2) == 0, into: %{}, do: {{x, y}, x * y}),
       for(x <- list, reduce: {0, []}, do: ({sum, seen} -> {sum + x, [x | seen]})),
       for(<<c <- "abc">>, c != ?b, into: "", do: <<c + 1>>), for(x <- list, uniq: true, do: rem(x, 2)),
       for({k, v} <- %{a: 1}, do: {v, k})}
    end

    def rescues(fun) do
      fun.()
    rescue
      ArithmeticError -> :arithmetic
      error in [KeyError, ArgumentError] -> {:named, Exception.message(error)}
      error in ErlangError -> {:erlang, error.original}
      error -> {:other, error.__struct__, Exception.message(error)}
    catch
      :throw, value -> {:thrown, value}
      :exit, {:shutdown, reason} -> {:exited, reason}
      kind, value -> {kind, value}
    else
      {:ok, value} -> {:fine, value}
      other -> other
    after
      send(self(), :after)
      receive do: (:after -> :ok)
    end

    def stacktrace(fun) do
      fun.()
    rescue
      error -> {error, Enum.map(__STACKTRACE__, &Tuple.delete_at(&1, 3)), List.first(__STACKTRACE__)}
    end

    def nested(value) do
      try do
        try do
          raise ArgumentError, "inner #{inspect(value)}"
        rescue
          error in ArgumentError -> reraise RuntimeError, [message: "outer: " <> error.message], __STACKTRACE__
        after
          send(self(), :cleaned)
        end
      catch
        :error, %RuntimeError{message: message} -> {message, receive(do: (:cleaned -> :cleaned))}
      end
    end

    def conditions(value) do
      cond do
        is_nil(value) || value == [] -> :nothing
        match?({:ok, x} when x > 1, value) -> :matched
        send(self(), value) && receive(do: (m -> m == :wanted)) -> :received
        true -> :otherwise
      end
    end

    def unless_if(value), do: if(value, do: unless(value == 1, do: :other), else: :falsy)
    def pins(%{a: a} = map, key), do: with(%{^key => ^a} <- map, do: :same)
    def binary(<<size, text::binary-size(size), rest::bits>>), do: {text, rest, <<size + 1::16-little>>}
    def strings(value), do: "#{value} #{inspect(value)} #{inspect(self: self() == self())}" <> ~s(#{1 + 1})
    def capture(list), do: Enum.map(list, &{&1, __MODULE__, __ENV__.function})
    def captures, do: [&Forms.reverse/1, &String.upcase/1, &(&1 + 1)] |> Enum.map(&is_function(&1, 1))
    def dynamic(module, name, args), do: {apply(module, name, args), apply(&apply/3, [module, name, args])}

    def pipeline(list),
      do:
        list
        |> Stream.map(&(&1 * 2))
        |> Stream.filter(&(&1 > 2))
        |> Enum.to_list()
        |> tap(&send(self(), &1))
        |> then(&receive(do: (m -> {m, &1})))

    def unknown(module), do: module.no_such_function(1)
    def default(a, b \\ self(), c \\ node()), do: {a, b == self(), c == node()}
    def update(map), do: put_in(map, [:a, :b], 1) |> update_in([:a, :b], &(&1 + 1)) |> get_in([:a])
    def structs(name), do: struct!(name, x: 1)
    def missing(map), do: map.missing
    def clause(:a), do: 1
    def case_clause(x), do: case(x, do: (1 -> 2))
    def no_match(x), do: {:ok, _} = x
    def bad_call(fun), do: fun.(1, 2)
    def raising(n), do: Enum.map([1], fn x -> raise ArgumentError, "bad #{n + x}" end)
  end

  defp guest(module) do
    {:ok, object} = Source.object_code(module)
    guest!(module, object)
  end

  setup_all do
    for module <- [Shapes, Forms], do: guest(module)
    :ok
  end

  setup do
    Code.ensure_loaded!(Handler)
    Process.flag(:error_handler, Handler)
    :ok
  end

  defp same(module, function, arguments \\ []) do
    case same!(module, Instrument.guest_name(module), function, arguments) do
      {:returned, value} -> value
      {_kind, reason, stack} -> {reason, stack}
    end
  end

  test "protocols: fallbacks, derived and shared implementations" do
    assert [4, {Shapes.Circle, Shapes.Area, 3, :received}, {Integer, _, 1, :received}, :any, any, derived, nil] =
             same(Shapes, :run)

    assert any == Shapes.Area.Any
    assert {:derived, _, Shapes.Square, true} = derived
    assert {%Protocol.UndefinedError{protocol: Shapes.Strict}, _} = same(Shapes, :undefined)
  end

  test "consolidated protocols dispatch as the others" do
    folder = Path.join(System.tmp_dir!(), "lk_consolidated_#{System.pid()}")
    File.mkdir_p!(folder)
    on_exit(fn -> File.rm_rf!(folder) end)

    source = """
    defprotocol LkConsolidated do
      def f(x)
    end

    defimpl LkConsolidated, for: [Integer, Range] do
      def f(x), do: {:impl, @for, x}
    end
    """

    for {module, bytecode} <- Code.compile_string(source, "lk_consolidated.ex") do
      File.write!(Path.join(folder, "#{module}.beam"), bytecode)
    end

    Code.prepend_path(folder)
    for module <- [LkConsolidated, LkConsolidated.Integer, LkConsolidated.Range], do: :code.delete(module)
    {:ok, bytecode} = Protocol.consolidate(LkConsolidated, [Integer, Range])
    :code.purge(LkConsolidated)
    {:module, _} = :code.load_binary(LkConsolidated, ~c"lk", bytecode)
    guest = guest!(LkConsolidated, bytecode)
    assert Protocol.consolidated?(LkConsolidated)

    for value <- [1, 1..2] do
      assert {:returned, {:impl, _, ^value}} = same!(LkConsolidated, guest, :f, [value])
    end

    assert {:error, %Protocol.UndefinedError{}, _} = same!(LkConsolidated, guest, :f, ["a"])
  end

  test "macros and what they make" do
    assert same(Forms, :options) == [:overridden, a: 1]
    assert same(Forms, :first) == {:first, Forms, Forms}
    assert same(Forms, :macro) == {:got, :hello}
    assert same(Forms, :guards, [self()]) == :here
    assert same(Forms, :guards, [spawn(fn -> :ok end)]) == :other
    assert same(Forms, :guards, [1]) == :other
    assert {true, 2, %{x: 3, y: 2}} = same(Forms, :access, [struct(Forms)])
    assert same(Forms, :reverse, [[1, 2]]) == [2, 1]
    assert same(Forms, :upper, ["a"]) == "A"
  end

  test "with, for, cond and the rest" do
    assert same(Forms, :with_else, [{:ok, 2}]) == {2, 2, 4}
    assert same(Forms, :with_else, [{:ok, 1}]) == {:small, 1}
    assert same(Forms, :with_else, [:error]) == :failed
    assert {_reason, [_ | _]} = same(Forms, :with_else, [:x])

    assert same(Forms, :comprehensions, [[1, 2, 4]]) ==
             {[1, 2, 4], %{{2, 1} => 2, {2, 2} => 4, {4, 1} => 4, {4, 2} => 8}, {7, [4, 2, 1]}, "bd", [1, 0],
              [{1, :a}]}

    for {value, expected} <- [{nil, :nothing}, {{:ok, 2}, :matched}, {:wanted, :received}, {{:ok, 1}, :otherwise}] do
      assert same(Forms, :conditions, [value]) == expected
    end

    assert same(Forms, :unless_if, [1]) == nil
    assert same(Forms, :pins, [%{a: 1, b: 1}, :b]) == :same
    assert same(Forms, :binary, [<<2, "ab", 5::3>>]) == {"ab", <<5::3>>, <<3, 0>>}
    assert same(Forms, :strings, [1]) == "1 1 [self: true]2"
    assert same(Forms, :capture, [[1]]) == [{1, Forms, {:capture, 1}}]
    assert same(Forms, :captures) == [true, true, true]
    assert same(Forms, :dynamic, [:lists, :reverse, [[1, 2]]]) == {[2, 1], [2, 1]}
    assert same(Forms, :pipeline, [[1, 2, 3]]) == {[4, 6], [4, 6]}
    assert same(Forms, :default, [1]) == {1, true, true}
    assert same(Forms, :update, [%{a: %{}}]) == %{b: 2}
    assert same(Forms, :structs, [Forms]).x == 1
  end

  test "rescue, catch, else and after" do
    for {fun, expected} <- [
          {fn -> Integer.floor_div(1, String.length("")) end, :arithmetic},
          {fn -> Map.fetch!(Map.new([]), :k) end, {:named, "key :k not found in: %{}"}},
          {fn -> :erlang.error(:odd) end, {:erlang, :odd}},
          {fn -> raise "text" end, {:other, RuntimeError, "text"}},
          {fn -> throw(1) end, {:thrown, 1}},
          {fn -> exit({:shutdown, 2}) end, {:exited, 2}},
          {fn -> exit(:other) end, {:exit, :other}},
          {fn -> {:ok, 3} end, {:fine, 3}},
          {fn -> 4 end, 4}
        ] do
      assert same(Forms, :rescues, [fun]) == expected
    end

    assert same(Forms, :nested, [1]) == {"outer: inner 1", :cleaned}
  end

  test "exceptions and their stack traces" do
    forms = Forms

    for {function, arguments} <- [
          missing: [%{}],
          missing: ["no map"],
          clause: [:b],
          case_clause: [2],
          no_match: [:error],
          bad_call: [& &1],
          raising: [1],
          unknown: [forms],
          unknown: [1],
          structs: [:no_such_struct]
        ] do
      assert {reason, [_ | _] = stack} = same(Forms, function, arguments)
      refute Exception.format(:error, reason, stack) =~ "lockstep:"
    end

    guest = Instrument.guest_name(Forms)
    {error, frames, {module, name, arity, location}} = guest.stacktrace(fn -> guest.raising(1) end)
    assert error.message == "bad 2"
    assert {module, name, arity} == {Forms, :"-raising/1-fun-0-", 2}
    assert location[:line] > 100 and Path.basename(location[:file]) == "elixir_test.exs"
    assert {Forms, :stacktrace, 1} in frames

    assert Exception.format_stacktrace_entry({module, name, arity, location}) =~
             "anonymous fn/2 in Lockstep.Instrument.ElixirTest.Forms.raising/1"
  end
end
