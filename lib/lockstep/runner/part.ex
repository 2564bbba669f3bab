defmodule Lockstep.Runner.Part do
  @moduledoc false
  # A part of a sweep: seeds that are run one after the other until one fails.

  alias Lockstep.NondeterminismError
  alias Lockstep.Runner.{Account, Job}
  alias Lockstep.Simulation.Result

  @typedoc "A run that failed, or went another way when it was repeated; the job that made it knows what it needs to be
  made again."
  @type finding :: %{job: Job.t(), run: Job.run(), result: Result.t(), difference: NondeterminismError.t() | nil}
  @type seeds :: Range.t() | [non_neg_integer()]

  @doc """
  Runs `seeds`, and adds them to `account`; the run that fails is the last one in it.

  `observe` is told of each run, and answers whether to go on. The job that is returned has learned what it needed to know
  of the program.
  """
  @spec run(Job.t(), seeds(), Account.t(), (Job.run(), Result.t(), Account.t() -> boolean())) ::
          {Job.t(), Account.t(), finding() | nil}
  def run(job, seeds, account, observe) do
    Enum.reduce_while(seeds, {job, account, nil}, fn seed, {job, account, nil} ->
      {job, run, result} = Job.attempt(job, seed)
      account = Account.add(account, run.chosen, result)
      go_on? = observe.(run, result, account)
      finding = finding(job, run, result)
      {if(go_on? and finding == nil, do: :cont, else: :halt), {job, account, finding}}
    end)
  end

  defp finding(job, run, result) do
    difference = Job.difference(job, run, result)

    if difference != nil or result.outcome != :ok,
      do: %{job: %{job | scheduler: nil}, run: run, result: result, difference: difference}
  end
end
