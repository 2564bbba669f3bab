defmodule Lockstep.Runner.Hosts do
  @moduledoc false
  # The option `hosts:`: real, connected Erlang nodes that take part in a sweep.
  #
  # A run has to be the same wherever it is made. So each host must have the same versions, is sent the code of the tests,
  # which is in no file, and makes the first run of the sweep as a sample, which must come to what it comes to here.

  alias Lockstep.{Failure, OptionError}
  alias Lockstep.Instrument.{Source, Tracer}
  alias Lockstep.Runner.{Job, Strategies, Visit}

  @typedoc "Where a worker makes its runs."
  @type seat :: {node(), scheduler :: pos_integer()}

  @doc "The seats of all workers of a job, when all hosts are ready for it."
  @spec seats(Job.t()) :: {:ok, [seat(), ...]} | {:failed, OptionError.t() | Failure.t()}
  def seats(%{options: %{hosts: []}} = job), do: {:ok, job |> here() |> Enum.take(job.total)}

  def seats(%{options: %{hosts: hosts}} = job) do
    with :ok <- check_alive(hosts),
         {:ok, there} <- prepare(hosts, job, Visit.sample(job)),
         do: {:ok, Enum.take(here(job) ++ there, job.total)}
  end

  # Sweeps that go on at the same time begin at different schedulers.
  defp here(%{options: options}) do
    online = System.schedulers_online()
    first = :erlang.system_info(:scheduler_id) - 1
    for n <- 1..(options.concurrency || online), do: {node(), rem(first + n - 1, online) + 1}
  end

  defp check_alive(hosts) do
    cond do
      not Node.alive?() ->
        error(hosts, "this VM is no node and cannot be connected with others; start it with --sname or --name")

      node() in hosts ->
        error(node(), "this node takes part anyway; name the others only")

      true ->
        :ok
    end
  end

  defp prepare(hosts, job, sample) do
    hosts
    |> Task.async_stream(&ready(&1, job, sample), timeout: :infinity, max_concurrency: length(hosts))
    |> Enum.reduce_while({:ok, []}, fn
      {:ok, {:ok, seats}}, {:ok, others} -> {:cont, {:ok, others ++ seats}}
      {:ok, {:failed, error}}, _others -> {:halt, {:failed, error}}
    end)
  end

  defp ready(host, job, sample) do
    with :ok <- connect(host),
         {:ok, versions} <- ask(host, :versions, []),
         :ok <- same_versions(host, Visit.versions(), versions),
         {:ok, online} <- ask(host, :start, []),
         :ok <- send_code(host, needed(job)),
         {:ok, found} <- ask(host, :sample, [job]),
         :ok <- same_sample(host, job, sample, found) do
      {:ok, for(n <- 1..(job.options.concurrency || online), do: {host, rem(n - 1, online) + 1})}
    end
  end

  defp connect(host) do
    if Node.connect(host) == true,
      do: :ok,
      else: error(host, "that node cannot be reached from #{node()}; is it running, with the same cookie?")
  end

  defp ask(host, function, arguments) do
    {:ok, :erpc.call(host, Visit, function, arguments)}
  catch
    :error, {:exception, :undef, [{Visit, ^function, _, _} | _]} ->
      error(host, "there is no Lockstep on that node, or another version; start it with the same code path")

    :error, {:erpc, reason} ->
      error(host, "that node was lost (#{inspect(reason)}) when it was to be prepared")

    :error, {:exception, reason, _stack} ->
      error(host, "that node cannot take part: #{Exception.format_banner(:error, reason)}")

    :exit, {:exception, reason} ->
      error(host, "that node cannot take part: #{Exception.format_exit(reason)}")
  end

  @doc "Whether a host has the same of everything that a run depends on; the error says what differs."
  @spec same_versions(node(), Visit.versions(), Visit.versions()) :: :ok | {:failed, OptionError.t()}
  def same_versions(host, here, there) do
    case Enum.find([:lockstep, :elixir, :otp, :code], &(here[&1] != there[&1])) do
      nil ->
        :ok

      what ->
        error(
          host,
          "#{name(what)} is #{show(there[what])} on that node and #{show(here[what])} here; they must be the same"
        )
    end
  end

  defp name(:lockstep), do: "Lockstep"
  defp name(:code), do: "the compiled code of Lockstep"
  defp name(:elixir), do: "Elixir"
  defp name(:otp), do: "Erlang/OTP"

  defp show(version), do: if(is_binary(version) and String.printable?(version), do: version, else: inspect(version))

  # The modules that must be there, and those of the tests, any of which they may call.
  defp needed(%{fun: fun, options: options}) do
    {:module, module} = Function.info(fun, :module)
    strategy = with {module, _arguments} <- Strategies.custom(options.strategy), do: module
    required = Enum.reject([module, strategy], &is_nil/1)
    Enum.uniq(required ++ Enum.filter(Tracer.modules(), &:erlang.module_loaded/1)) |> Enum.map(&{&1, &1 in required})
  end

  defp send_code(host, modules) do
    with {:ok, missing} <- ask(host, :missing, [for({module, _required?} <- modules, do: {module, md5(module)})]) do
      Enum.reduce_while(modules, :ok, fn {module, required?}, :ok ->
        case if(module in missing, do: send_module(host, module, required?), else: :ok) do
          :ok -> {:cont, :ok}
          failed -> {:halt, failed}
        end
      end)
    end
  end

  defp md5(module), do: if(Code.ensure_loaded?(module), do: module.module_info(:md5))

  defp send_module(host, module, required?) do
    with {:ok, code} <- Source.object_code(module), {:ok, :ok} <- ask(host, :load, [module, code]) do
      :ok
    else
      {:failed, error} -> {:failed, error}
      reason when required? -> error(host, no_code(module, reason))
      # If it is needed after all, the run will say so.
      _reason -> :ok
    end
  end

  defp no_code(module, :error) do
    "that node does not have #{inspect(module)} as it is here, and there is no file of it to send; " <>
      "have it on the code path of both"
  end

  defp no_code(module, {:ok, {:error, reason}}), do: "that node cannot load #{inspect(module)} (#{inspect(reason)})"

  defp same_sample(_host, _job, sample, sample), do: :ok

  defp same_sample(host, job, _sample, _found) do
    error(
      host,
      "the run of seed #{Enum.at(job.options.seeds, 0)} is another on that node: it has other code of what " <>
        "is tested, or the run depends on something that is not under control"
    )
  end

  defp error(value, expected), do: {:failed, %OptionError{option: :hosts, value: value, expected: expected}}
end
