defmodule Lockstep.Strategy.Event do
  @moduledoc """
  An event that could happen next, as a strategy written in Elixir sees it (`Lockstep.Strategy`).

    * `:kind` - who acts: a `:process`, a `:timer`, a `:channel` that delivers what one process has sent to another, or a
      `:connection` between two nodes
    * `:process` - the number of the process that acts, in the order in which they were started; `nil` for the others
    * `:lineage` - who acts, as a number that is the same in every schedule of the program, as far as its parents do the
      same in both
    * `:object` - what is acted upon: `:local` (nothing that others see), `:world` (everything), `{:process, number}`
      (its mailbox and whether it lives), `{:table, number, entry}`, where the entry is `nil` for the whole table, or
      `{:name, node, number}` and `{:shared, number}`; only good for comparing, see `Lockstep.Strategy.conflict?/2`
    * `:identity` - the object, as a number that is the same in every schedule
    * `:write?` - whether the object is changed, and not only read
  """

  defstruct kind: :process, process: nil, lineage: 0, object: :local, identity: 0, write?: false

  @type object ::
          :local
          | :world
          | {:process, non_neg_integer()}
          | {:table, non_neg_integer(), non_neg_integer() | nil}
          | {:name, non_neg_integer(), non_neg_integer()}
          | {:shared, non_neg_integer()}

  @type t :: %__MODULE__{
          kind: :process | :timer | :channel | :connection,
          process: non_neg_integer() | nil,
          lineage: non_neg_integer(),
          object: object(),
          identity: non_neg_integer(),
          write?: boolean()
        }
end
