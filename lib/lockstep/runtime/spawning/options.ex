defmodule Lockstep.Runtime.Spawning.Options do
  @moduledoc false
  # The options of `:erlang.spawn_opt/2` and `:erlang.spawn_request/2`, as the documentation of `erlang` has them.

  alias Lockstep.Runtime.{Context, Identity, Monitor}

  # `monitor`: the reference and its number; `flags`: what changes how fast the process runs.
  defstruct link?: false, monitor: nil, tag: :DOWN, alias: nil, flags: [], reply: :yes, reply_tag: :spawn_reply

  @type t :: %__MODULE__{}

  @priorities [:low, :normal, :high, :max]
  @replies [yes: :yes, no: :no, error_only: :error_only, success_only: :success_only]

  @doc "The options of `spawn_opt`."
  @spec parse(term()) :: {:ok, t()} | :badarg
  def parse(options) do
    case read(options, &option/2) do
      {:ok, options} -> {:ok, options}
      _ -> :badarg
    end
  end

  @doc "The options of `spawn_request`; what is wrong with them is told in its reply."
  @spec parse_request(term()) :: {:ok, t()} | {:badopt, t()} | :badarg
  def parse_request(options) when is_list(options) do
    case read(options, &request_option/2) do
      {:ok, options} -> {:ok, options}
      _ -> {:badopt, replies(options)}
    end
  end

  def parse_request(_options), do: :badarg

  # How to reply has to be known also where another option is wrong.
  defp replies(options) do
    Enum.reduce(options, %__MODULE__{}, fn option, acc ->
      with :badarg <- request_reply(option, acc), do: acc
    end)
  end

  defp read(options, fun) when is_list(options) do
    Enum.reduce_while(options, {:ok, %__MODULE__{}}, fn option, {:ok, acc} ->
      case fun.(option, acc) do
        :badarg -> {:halt, :badarg}
        acc -> {:cont, {:ok, acc}}
      end
    end)
  rescue
    # An improper list.
    FunctionClauseError -> :badarg
  end

  defp read(_options, _fun), do: :badarg

  defp request_option(option, acc) do
    with :badarg <- request_reply(option, acc), do: option(option, acc)
  end

  defp request_reply({:reply, reply}, acc) do
    if Keyword.has_key?(@replies, reply), do: %{acc | reply: reply}, else: :badarg
  end

  defp request_reply({:reply_tag, tag}, acc), do: %{acc | reply_tag: tag}
  defp request_reply(_option, _acc), do: :badarg

  defp option(:link, acc), do: %{acc | link?: true}
  defp option(:monitor, acc), do: option({:monitor, []}, acc)

  defp option({:monitor, options}, acc) when is_list(options) do
    case Monitor.options(options) do
      {:ok, tag, mode} -> %{acc | monitor: Identity.new_ref(Context.get()), tag: tag, alias: mode}
      :badarg -> :badarg
    end
  end

  defp option({:priority, priority} = flag, acc) when priority in @priorities, do: flag(flag, acc)
  defp option({:message_queue_data, where} = flag, acc) when where in [:on_heap, :off_heap], do: flag(flag, acc)

  defp option({:max_heap_size, size} = flag, acc) when is_map(size) or (is_integer(size) and size >= 0),
    do: flag(flag, acc)

  defp option({key, size} = flag, acc)
       when key in [:min_heap_size, :min_bin_vheap_size, :fullsweep_after] and is_integer(size) and size >= 0,
       do: flag(flag, acc)

  # Where to run and how to send: nothing that a program can see.
  defp option({:scheduler, number}, acc) when is_integer(number), do: acc
  defp option({:async_dist, on?}, acc) when is_boolean(on?), do: acc
  defp option(_option, _acc), do: :badarg

  defp flag(flag, acc), do: %{acc | flags: acc.flags ++ [flag]}
end
