defmodule Lockstep.Trace do
  @moduledoc """
  Trace files: everything that happened in a run, as the `trace:` option writes it.

  A file is one term in Erlang's External Term Format. It names no wall time, no process of the host and no path, so
  the same seed and the same code give the same bytes on every machine.
  """

  alias Lockstep.Failures.Shape
  alias Lockstep.SafeTerm

  @version 2

  # The atoms of a trace. Reading is `:safe`, it makes no atoms: they have to exist.
  @fields ~w(version seed nodes processes steps time hash choices events id node name step process kind object detail
             digest text service place file line)a
  @kinds ~w(start send lost deliver receive timeout spawn link unlink monitor demonitor alias unalias signal exit
            trap_exit register unregister whereis start_timer cancel_timer read_timer fire access yield stall killed
            partition heal tick set_tick_time stop_node start_node monitor_node down exit_signal
            spawned abandon look suspend resume connect connected refused disconnect disconnected monitor_nodes cut
            release set_latency crash_node pause_node pause configure join linked unlinked watched lead led busy)a

  @shape %{
    version: :positive,
    seed: :natural,
    nodes: {:list, :text},
    processes: {:list, %{id: :natural, node: :text, name: {:maybe, :text}, service: :boolean}},
    steps: :natural,
    time: :natural,
    hash: :natural,
    choices: {:list, :natural},
    events:
      {:list,
       %{
         step: :positive,
         time: :natural,
         process: {:maybe, :natural},
         node: {:maybe, :natural},
         kind: {:one_of, @kinds},
         object: :natural,
         detail: :natural,
         digest: :natural,
         text: :text,
         place: {:maybe, %{file: :text, line: :positive}}
       }}
  }

  @typedoc "What happened: `:send`, `:deliver`, `:spawn`, ..."
  @type kind :: atom()

  @typedoc """
  One event. `:time` is in virtual microseconds since the start of the run; `:process` and `:node` are numbers, `nil`
  where the network or the clock acts; `:text` says it in words; `:place` is where the program asked for it, `nil` where
  no code of the program was on the stack.
  """
  @type event :: %{
          step: pos_integer(),
          time: non_neg_integer(),
          process: non_neg_integer() | nil,
          node: non_neg_integer() | nil,
          kind: kind(),
          object: non_neg_integer(),
          detail: non_neg_integer(),
          digest: non_neg_integer(),
          text: String.t(),
          place: %{file: String.t(), line: pos_integer()} | nil
        }

  @type t :: %{
          version: pos_integer(),
          seed: non_neg_integer(),
          nodes: [String.t()],
          processes: [%{id: non_neg_integer(), node: String.t(), name: String.t() | nil, service: boolean()}],
          steps: non_neg_integer(),
          time: non_neg_integer(),
          hash: non_neg_integer(),
          choices: [non_neg_integer()],
          events: [event()]
        }

  @doc """
  Reads a trace.

  ## Example

      {:ok, trace} = Lockstep.Trace.decode(File.read!("traces/seed-7.trace"))
      for event <- trace.events, event.kind == :lost, do: event.text

  `:error` if the bytes are not a trace of this version; whatever they are, they make no atoms.
  """
  @spec decode(binary()) :: {:ok, t()} | :error
  def decode(bytes) when is_binary(bytes) do
    with {:ok, %{version: @version} = trace} <- SafeTerm.decode(bytes),
         {:ok, trace} <- Shape.check_atoms(trace, @shape) do
      {:ok, trace}
    else
      _ -> :error
    end
  end

  @doc "The version that the bytes of a trace are in; `nil` if they are no trace."
  @spec version(binary()) :: term()
  def version(bytes) do
    case SafeTerm.decode(bytes) do
      {:ok, %{version: version, events: _}} -> version
      _ -> nil
    end
  end

  @doc "The kinds of events there are."
  @spec kinds() :: [kind()]
  def kinds, do: @kinds

  @doc "The version of traces that this Lockstep writes and reads."
  @spec version() :: pos_integer()
  def version, do: @version

  @doc "The names of a trace's fields."
  @spec fields() :: [atom()]
  def fields, do: @fields
end
