defmodule Lockstep.Case do
  @moduledoc """
  ExUnit tests under control.

      defmodule MyApp.ClusterTest do
        use Lockstep.Case, async: true

        setup do
          {:ok, counter: start_supervised!(Counter)}
        end

        @tag lockstep: [seeds: 1..500]
        test "increments are not lost", %{counter: counter} do
          1..2 |> Enum.map(fn _ -> Task.async(fn -> Counter.increment(counter) end) end) |> Task.await_many()
          assert Counter.value(counter) == 2
        end

        test "an ordinary test" do
          assert 1 + 1 == 2
        end
      end

  This is `use ExUnit.Case` and `use Lockstep`. A test with the tag `lockstep:` is run under control, once for each
  seed; the tag's value are the options of `Lockstep.Runner`. `@tag :lockstep` takes the defaults, `lockstep: false`
  turns off what `@moduletag` or `@describetag` has turned on. Other tests are ordinary ones.

  For a test under control

    * the `setup` callbacks are part of each run: every seed starts with a fresh state;
    * `setup_all` runs once, before and outside of all runs; what it starts is outside of control;
    * `assert_receive` and its kin count virtual time;
    * `start_supervised` and `on_exit` belong to the run, in case templates and helpers, too; the callbacks are called at
      the end of a run that passes, by the test process itself, after those that are linked to it have got the exit
      signal `:shutdown`;
    * the test also fails if no run fails, but none has met a condition of `Lockstep.sometimes/2` either;
    * ExUnit's `timeout` counts the wall time of all runs together.

  The variables `LOCKSTEP_SEED`, `LOCKSTEP_SEEDS` (`200` or `1..500`), `LOCKSTEP_STRATEGY` and `LOCKSTEP_SHARD` (`2/4`)
  win over the tag.
  `LOCKSTEP_REPLAY` names a stored failure (`Lockstep.Failures`) to run again, and `LOCKSTEP_FAILURES` where failures are
  stored.
  """

  alias Lockstep.Options
  alias Lockstep.Runner.{Function, Location, Sweep}
  alias Lockstep.Runtime

  @doc false
  defmacro __using__(opts) do
    quote do
      use ExUnit.Case, unquote(opts)
      use Lockstep
      @before_compile Lockstep.Case
    end
  end

  # Runs after ExUnit's own hook, which has defined `__ex_unit__/2`; overriding what is there leaves `test`, contexts
  # and `describe` entirely to ExUnit.
  @doc false
  defmacro __before_compile__(env) do
    names = for test <- Module.get_attribute(env.module, :ex_unit_tests), on?(test.tags[:lockstep]), do: test.name

    if names == [] or Module.get_attribute(env.module, :lockstep_case) do
      nil
    else
      Module.put_attribute(env.module, :lockstep_case, true)
      [override_setup() | Enum.map(names, &override_test/1)]
    end
  end

  # `__lockstep__` is the main process's code. It calls the test again, which, now inside, goes on to its own body.
  defp override_setup do
    quote do
      defoverridable __ex_unit__: 2

      def __ex_unit__(kind, context) do
        if kind == :setup and Lockstep.Case.__outside__?(context), do: context, else: super(kind, context)
      end

      defp __lockstep__(context) do
        context = __ex_unit__(:setup, Lockstep.Case.__enter__(context))
        apply(__MODULE__, context.test, [context])
      end
    end
  end

  defp override_test(name) do
    quote do
      defoverridable [{unquote(name), 1}]

      def unquote(name)(context) do
        if Lockstep.Case.__outside__?(context) do
          Lockstep.Case.__run__(context, fn -> __lockstep__(context) end)
        else
          super(context)
        end
      end
    end
  end

  @doc false
  @spec __outside__?(map()) :: boolean()
  def __outside__?(context), do: on?(context[:lockstep]) and not Runtime.Context.inside?()

  # Without a stack trace: ExUnit would print it below the report, which has the user's own one at its head, and ends
  # with the line to paste.
  @doc false
  @spec __run__(map(), (... -> term())) :: :ok
  def __run__(context, fun) do
    Function.check!(fun)

    with {:ok, options} <- Options.validate(tag_options(context.lockstep), System.get_env(), source(context)),
         {:ok, _summary} <- Sweep.run(fun, options, Location.from_context(context)) do
      :ok
    else
      {_error_or_failed, exception} -> reraise exception, []
    end
  end

  @doc false
  @spec __enter__(map()) :: map()
  def __enter__(%{test_pid: _outside} = context), do: %{context | test_pid: Runtime.Process.self()}
  def __enter__(context), do: context

  defp on?(tag), do: tag not in [nil, false]

  defp tag_options(true), do: []
  defp tag_options(options), do: options

  defp source(context), do: "the lockstep: tag of #{inspect(to_string(context.test))} in #{inspect(context.module)}"
end
