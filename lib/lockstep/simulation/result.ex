defmodule Lockstep.Simulation.Result do
  @moduledoc false
  # What is known of a run when it is over.

  defstruct [
    :outcome,
    :value,
    :steps,
    :virtual_ms,
    :hash,
    :interleaving,
    :profile,
    faults: %{},
    escapes: [],
    sometimes: [],
    processes: [],
    events: [],
    choices: [],
    trace: <<>>,
    trail: nil,
    stacks: %{},
    output: []
  ]

  @type process :: %{id: non_neg_integer(), node: node(), label: String.t() | nil, service?: boolean()}
  @type event :: %{
          step: pos_integer(),
          time: non_neg_integer(),
          process: non_neg_integer() | nil,
          node: node() | nil,
          kind: atom(),
          object: non_neg_integer(),
          detail: non_neg_integer(),
          text: String.t(),
          digest: non_neg_integer(),
          place: {file :: String.t(), line :: pos_integer()} | nil
        }
  @type crash :: {:crash, :error | :exit | :throw, term(), Exception.stacktrace()}
  @type t :: %__MODULE__{
          outcome: :ok | :abandoned | {:error, Exception.t() | crash()},
          value: term(),
          steps: non_neg_integer(),
          virtual_ms: non_neg_integer(),
          hash: non_neg_integer(),
          interleaving: non_neg_integer(),
          profile: binary() | nil,
          faults: %{optional(atom()) => pos_integer()},
          escapes: [{Lockstep.Summary.place(), pos_integer()}],
          sometimes: [Lockstep.Runtime.Sometimes.met()],
          processes: [process()],
          events: [event()],
          choices: [non_neg_integer()],
          trace: binary(),
          trail: {[Lockstep.Native.deed()], non_neg_integer(), non_neg_integer()} | nil,
          stacks: %{optional(pos_integer()) => Exception.stacktrace()},
          output: [Lockstep.Runtime.Output.entry()]
        }
end
