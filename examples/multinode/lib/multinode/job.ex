defmodule Multinode.Job do
  @moduledoc """
  What there is to do, once in every round. A round is a second of the wall clock.
  """

  require Logger

  @period 1000

  @type round :: integer()

  @doc "The length of a round in milliseconds."
  @spec period() :: pos_integer()
  def period, do: @period

  @doc "The round that it is now, by this node's clock."
  @spec current() :: round()
  def current, do: div(System.system_time(:millisecond), @period)

  @doc "Does the job for a round: calls the configured `:job`, `{module, function, arguments}`, the round first."
  @spec run(round()) :: term()
  def run(round) do
    {module, function, arguments} = Application.fetch_env!(:multinode, :job)
    apply(module, function, [round | arguments])
  end

  @doc "The job unless another one is configured."
  @spec log(round()) :: :ok
  def log(round), do: Logger.info("round #{round} is done by #{node()}")
end
