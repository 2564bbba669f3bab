defmodule Lockstep.Runtime.Spawning.Options do
  @moduledoc false
  # The options of a spawn: ties to the parent, which are the run's, and settings of the process, which are the VM's.

  alias Lockstep.Runtime.Monitor

  defstruct link?: false, monitor: nil, settings: [], given: []

  @typedoc "The tag of the DOWN message, and how the monitor's alias ends if it has one."
  @type monitor :: {tag :: term(), Lockstep.Native.alias_mode() | nil}
  @type t :: %__MODULE__{link?: boolean(), monitor: monitor() | nil, settings: [term()], given: [term()]}

  @typedoc "For `spawn_request`: the tag of the answer, and whether a success and a failure are answered."
  @type reply :: {tag :: term(), success? :: boolean(), failure? :: boolean()}

  @replies %{yes: {true, true}, no: {false, false}, success_only: {true, false}, error_only: {false, true}}

  @doc "Reads options; `:error` where the VM would not take them."
  @spec read(term()) :: {:ok, t()} | :error
  def read(options) when is_list(options) and length(options) >= 0 do
    options = Enum.reduce(options, %__MODULE__{given: options}, &add/2)
    options = %{options | settings: Enum.reverse(options.settings)}
    if options.monitor != :error and settings?(options.settings), do: {:ok, options}, else: :error
  end

  def read(_options), do: :error

  defp add(:link, options), do: %{options | link?: true}
  defp add(_option, %{monitor: :error} = options), do: options
  defp add(:monitor, options), do: %{options | monitor: {:DOWN, nil}}
  defp add({:monitor, monitor}, options), do: %{options | monitor: read_monitor(monitor)}
  defp add(setting, options), do: %{options | settings: [setting | options.settings]}

  defp read_monitor(options) do
    case Monitor.options(options) do
      {:ok, tag, mode} -> {tag, mode}
      :error -> :error
    end
  end

  # The VM itself is asked: it starts a process that does nothing.
  defp settings?([]), do: true

  defp settings?(settings) do
    is_pid(:erlang.spawn_opt(:erlang, :is_atom, [:ok], settings))
  rescue
    ArgumentError -> false
  end

  @doc "Takes the options of the answer out of those of a `spawn_request`; the latest of each counts."
  @spec read_reply([term()]) :: {reply(), [term()]}
  def read_reply(options) do
    {mine, others} = Enum.split_with(options, &reply?/1)
    {success?, failure?} = @replies[Keyword.get(Enum.reverse(mine), :reply, :yes)]
    {{Keyword.get(Enum.reverse(mine), :reply_tag, :spawn_reply), success?, failure?}, others}
  end

  defp reply?({:reply_tag, _tag}), do: true
  defp reply?({:reply, when_to}), do: is_map_key(@replies, when_to)
  defp reply?(_option), do: false
end
