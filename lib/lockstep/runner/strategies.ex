defmodule Lockstep.Runner.Strategies do
  @moduledoc false
  # Which strategy a seed has, and how strategies are written.

  alias Lockstep.{Native, Strategy}
  alias Lockstep.Report.Time

  @default_depth 3

  @typedoc "As in the option `strategy:`."
  @type asked :: atom() | {:pct, pos_integer()} | {:exhaustive, keyword()} | {:replay, [non_neg_integer()]}

  @doc "The strategy of one seed, for `Lockstep.Simulation.run/2`."
  @spec chosen(asked(), non_neg_integer()) :: Native.strategy()
  def chosen(:portfolio, seed), do: Native.portfolio(seed)
  def chosen(:pct, _seed), do: {:pct, @default_depth}
  def chosen(strategy, _seed), do: strategy

  @doc """
  Whether a strategy needs to know the program from an undisturbed run.

  Others must not be given what is known: whether it is would depend on the seeds before.
  """
  @spec profile?(Native.strategy()) :: boolean()
  def profile?(:surw), do: true
  def profile?({:pct, _depth}), do: true
  def profile?(strategy), do: custom(strategy) != nil

  @doc "A strategy written in Elixir, with its arguments; `nil` for one of the core's."
  @spec custom(term()) :: {module(), args :: term()} | nil
  def custom({module, args}), do: if(Strategy.implemented?(module), do: {module, args})
  def custom(module), do: if(Strategy.implemented?(module), do: {module, []})

  @doc "The strategy as `LOCKSTEP_STRATEGY` takes it."
  @spec variable(asked()) :: String.t()
  def variable({:pct, depth}), do: "pct:#{depth}"
  def variable({:replay, choices}), do: "replay:#{Enum.join(choices, ",")}"
  def variable({:exhaustive, [{kind, most}]}), do: "exhaustive:#{kind}:#{most}"
  def variable(name) when is_atom(name), do: name |> Atom.to_string() |> String.replace_prefix("Elixir.", "")
  def variable(other), do: inspect(other)

  @doc "In words: what was asked for, and in parentheses what a seed had of it."
  @spec describe(asked() | String.t(), Native.strategy() | nil) :: String.t()
  # That of a failure that was stored is text already.
  def describe(text, _chosen) when is_binary(text), do: text
  def describe({:replay, choices}, _chosen), do: "replay of #{Time.count(length(choices), "choice")}"
  def describe(:portfolio, {:pct, depth}), do: ":portfolio (pct, depth #{depth})"
  def describe(:portfolio, chosen) when chosen != nil, do: ":portfolio (#{chosen})"
  def describe(strategy, _chosen), do: inspect(strategy)
end
