defmodule Lockstep.Strategy do
  @moduledoc """
  A search strategy of one's own, written in Elixir.

  Before each event of a run, a strategy says which of those that can happen does. Lockstep's own (`:portfolio` and so on)
  are part of its core; one that implements this behaviour is asked by a message each time, which takes some microseconds.
  It is given as an option, alone or with arguments:

      @tag lockstep: [seeds: 1..500, strategy: MyStrategy]
      @tag lockstep: [seeds: 1..500, strategy: {MyStrategy, depth: 3}]

  This one lets the process that was started last go first, and now and then another:

      defmodule MyStrategy do
        @behaviour Lockstep.Strategy

        @impl true
        def init(seed, _profile, options) do
          %{random: :rand.seed_s(:exsss, seed), one_in: Keyword.get(options, :one_in, 10)}
        end

        @impl true
        def schedule(events, state) do
          {number, random} = :rand.uniform_s(state.one_in, state.random)
          {chosen, random} = if number == 1, do: any(events, random), else: {youngest(events), random}
          {chosen, %{state | random: random}}
        end

        defp any(events, random) do
          {number, random} = :rand.uniform_s(length(events), random)
          {number - 1, random}
        end

        defp youngest(events), do: events |> Enum.with_index() |> Enum.max_by(fn {event, _} -> event.process || -1 end) |> elem(1)
      end

  Everything random has to come from the seed and go through the state, as here: a seed is to give the same run each time.
  The functions run in a process of Lockstep, outside of the run, and for several runs at once; the module must be an ordinary one, without
  `use Lockstep`. The choices are recorded like all others, so a failure is replayed and shrunk without the strategy.
  Latencies and faults are drawn from the seed as under `:random`. Unlike Lockstep's own strategies, which turn random
  after very many choices, one of these has to see to it itself that nobody waits for ever for a process that polls.

  What raises, or chooses what there is not, fails the run with `Lockstep.StrategyError`.
  """

  alias Lockstep.Strategy.{Event, Profile}

  @typedoc "Whatever the strategy wants to remember until its next choice."
  @type state :: term()

  @doc """
  The state with which the run of a seed begins.

  `profile` is what the undisturbed run of the program has shown. `args` are those of the option: `[]` for a module alone.
  """
  @callback init(seed :: non_neg_integer(), profile :: Profile.t(), args :: term()) :: state()

  @doc """
  Chooses the next event: its place in the list, from 0.

  The first event is the undisturbed choice. The list may hold a single event, if that can be held back (`c:stall/3`).
  """
  @callback schedule([Event.t(), ...], state()) :: {non_neg_integer(), state()}

  @doc """
  Says whether the process whose event was chosen is held back instead, and how long: 0 lets the event happen.

  Times are virtual microseconds. `limits` has the longest time, `:max`, and in `:upcoming` how long it is until each of
  the next deadlines up to then: to come back at one of them is what makes a timeout race. Without this function nobody is
  held back.
  """
  @callback stall(Event.t(), limits :: %{max: pos_integer(), upcoming: [non_neg_integer()]}, state()) ::
              {non_neg_integer(), state()}

  @optional_callbacks stall: 3

  @doc """
  Whether the order of two events can matter: they act upon the same thing, and at least one of them changes it.

  ## Examples

      iex> write = %Lockstep.Strategy.Event{object: {:table, 7, 1}, write?: true}
      iex> read = %Lockstep.Strategy.Event{object: {:table, 7, nil}}
      iex> Lockstep.Strategy.conflict?(write, read)
      true
      iex> Lockstep.Strategy.conflict?(read, read)
      false

  """
  @spec conflict?(Event.t(), Event.t()) :: boolean()
  def conflict?(%Event{} = one, %Event{} = other) do
    (one.write? or other.write?) and overlap?(one.object, other.object)
  end

  defp overlap?(:local, _), do: false
  defp overlap?(_, :local), do: false
  defp overlap?(:world, _), do: true
  defp overlap?(_, :world), do: true
  defp overlap?({:table, table, one}, {:table, table, other}), do: one == nil or other == nil or one == other
  defp overlap?(one, other), do: one == other

  @doc false
  @spec implemented?(term()) :: boolean()
  def implemented?(module) do
    # The names of Lockstep's own need not be looked for.
    is_atom(module) and match?("Elixir." <> _, Atom.to_string(module)) and Code.ensure_loaded?(module) and
      function_exported?(module, :init, 3) and function_exported?(module, :schedule, 2)
  end
end
