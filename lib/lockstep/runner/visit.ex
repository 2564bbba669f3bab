defmodule Lockstep.Runner.Visit do
  @moduledoc false
  # What a sweep that goes on at another node calls on this one.

  alias Lockstep.Instrument.Tracer
  alias Lockstep.Runner.{Account, Job, Part}

  @typedoc "What two nodes must have in common to come to the same runs."
  @type versions :: %{lockstep: String.t(), code: binary(), elixir: String.t(), otp: String.t()}

  @doc "The versions of this node, whether or not Lockstep has been started on it."
  @spec versions() :: versions()
  def versions do
    Application.load(:lockstep)

    %{
      lockstep: to_string(Application.spec(:lockstep, :vsn)),
      code: digest(Application.spec(:lockstep, :modules)),
      elixir: System.version(),
      otp: System.otp_release()
    }
  end

  defp digest(modules) do
    md5s = for module <- Enum.sort(modules), do: {module, module.module_info(:md5)}
    md5s |> :erlang.term_to_binary() |> :erlang.md5() |> Base.encode16(case: :lower)
  end

  @doc "Starts Lockstep here, and says how many schedulers there are."
  @spec start() :: pos_integer()
  def start do
    Lockstep.start()
    System.schedulers_online()
  end

  @doc "Those modules that this node has not, or not with this code."
  @spec missing([{module(), binary() | nil}]) :: [module()]
  def missing(modules) do
    for {module, md5} <- modules, not Code.ensure_loaded?(module) or module.module_info(:md5) != md5, do: module
  end

  @doc "Loads a module that was compiled elsewhere."
  @spec load(module(), binary()) :: :ok | {:error, term()}
  def load(module, code) do
    Tracer.remember(module, code)
    with {:module, ^module} <- :code.load_binary(module, ~c"nofile", code), do: :ok
  end

  @doc "The first run of a job, in short."
  @spec sample(Job.t()) :: term()
  def sample(job) do
    {_job, run, result} = Job.attempt(job, Enum.at(job.options.seeds, 0))
    {run, result.steps, result.virtual_ms, result.hash, result.interleaving, result.outcome == :ok}
  end

  @doc """
  Runs a chunk of seeds, for `owner`, a process of another node. When that ends, or its node is lost, so does the chunk.
  """
  @spec chunk(Job.t(), Part.seeds(), pid()) :: {Job.t(), Account.t(), Part.finding() | nil}
  def chunk(job, seeds, owner) do
    watched = Process.monitor(owner)
    body = fn -> exit({:lockstep_chunk, Part.run(job, seeds, Account.new(), fn _, _, _ -> true end)}) end
    {pid, monitor} = :erlang.spawn_opt(body, [:monitor, {:scheduler, job.scheduler}])

    receive do
      {:DOWN, ^monitor, :process, ^pid, {:lockstep_chunk, result}} ->
        result

      {:DOWN, ^monitor, :process, ^pid, reason} ->
        exit(reason)

      {:DOWN, ^watched, :process, ^owner, _reason} ->
        Process.exit(pid, :kill)
        exit(:shutdown)
    end
  end
end
