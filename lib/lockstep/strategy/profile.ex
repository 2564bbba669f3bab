defmodule Lockstep.Strategy.Profile do
  @moduledoc """
  What the undisturbed run of a program has shown, for a strategy written in Elixir (`Lockstep.Strategy`).

    * `:steps` - how many events it had
    * `:choices` - how many of them could have come together with another
    * `:actors` - how many acted: processes, timers, deliveries
    * `:weights` - how many events on contended objects each actor had, with all whom it has brought into being: a map from
      the `:lineage` of an event
    * `:contended` - the objects on which events of different actors conflicted that could have come in another order: a
      set of what events have as their `:identity`
  """

  defstruct steps: 0, choices: 0, actors: 0, weights: %{}, contended: MapSet.new()

  @type t :: %__MODULE__{
          steps: non_neg_integer(),
          choices: non_neg_integer(),
          actors: non_neg_integer(),
          weights: %{non_neg_integer() => non_neg_integer()},
          contended: MapSet.t(non_neg_integer())
        }

  @doc false
  # As the core has written it just now.
  @spec read(binary()) :: t()
  def read(<<"LSPF", 1::16-little, numbers::binary>>) do
    all = for <<number::64-little <- numbers>>, do: number
    {[steps, choices, actors, weights, shares], all} = Enum.split(all, 5)
    {weights, all} = Enum.split(all, 2 * weights)
    # The last number is a hash.
    contended = all |> Enum.drop(3 * shares) |> Enum.drop(-1)

    %__MODULE__{
      steps: steps,
      choices: choices,
      actors: actors,
      weights: weights |> Enum.chunk_every(2) |> Map.new(&List.to_tuple/1),
      contended: MapSet.new(contended)
    }
  end
end
