defmodule Gallery.Program do
  @moduledoc """
  A program with a known bug, and its corrected twin.

      defmodule Gallery.LostUpdateEts do
        use Gallery.Program,
          kind: :atomicity,
          bug: "a hit counter in a table is looked up, then inserted again"

        def buggy, do: hits(&look_up_and_insert/1)
        def fixed, do: hits(&:ets.update_counter(&1, :page, 1))
        # ...
      end

  One program a file, `test/gallery/programs/lost_update_ets.exs` for this one. `buggy/0` fails under some schedules,
  `fixed/0` under none; they differ in the bug alone. Both are the main process of a run. Options:

    * `:bug` - what goes wrong, in one line
    * `:kind` - one of `kinds/0`
    * `:fails` - how `buggy/0` fails: the module of an exception, `:exit` or `:throw`, or a list of them (default:
      `ExUnit.AssertionError`). With `fail_on:` that is `Lockstep.ProcessFailure`, when everybody waits
      `Lockstep.DeadlockError`. A run that fails otherwise is an error of the program, and not the bug found
    * `:options` - options of `Lockstep.Runner.explore/2` that both need (default: none)
  """

  @kinds [
    atomicity: "Not in one piece",
    order: "In another order",
    liveness: "Waiting for ever",
    time: "Time",
    lifecycle: "Ends and restarts",
    distribution: "Several nodes",
    search: "Hard to hit"
  ]

  @doc "Runs the bug."
  @callback buggy() :: term()

  @doc "The same without the bug."
  @callback fixed() :: term()

  @doc false
  defmacro __using__(options) do
    quote do
      @behaviour Gallery.Program
      use Lockstep
      import ExUnit.Assertions
      import Gallery.Program, only: [together: 1]

      @gallery Gallery.Program.describe!(__MODULE__, unquote(options))
      @doc false
      def __gallery__, do: @gallery
    end
  end

  @doc "The kinds of bugs, each with the heading it has in the documentation."
  @spec kinds() :: keyword(String.t())
  def kinds, do: @kinds

  @doc "Checks the options of a program, and fills in the defaults."
  @spec describe!(module(), keyword()) :: map()
  def describe!(module, options) do
    description = Map.merge(%{fails: ExUnit.AssertionError, options: []}, Map.new(options))

    unless match?(%{bug: bug, kind: _} when is_binary(bug), description) and Keyword.has_key?(@kinds, options[:kind]) do
      raise ArgumentError, "#{inspect(module)} needs bug: \"...\" and kind: one of #{inspect(Keyword.keys(@kinds))}"
    end

    %{description | fails: List.wrap(description.fails)}
    |> Map.merge(%{module: module, name: module |> Module.split() |> List.last() |> Macro.underscore()})
  end

  @doc "Runs the functions at the same time, each in a task, and returns their results."
  @spec together([(... -> result)]) :: [result] when result: term()
  def together(funs), do: funs |> Enum.map(&Task.async/1) |> Task.await_many(:infinity)
end
