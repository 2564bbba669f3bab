defmodule Lockstep.Instrument.InPlace do
  @moduledoc false
  # Instruments a module while it is compiled: `@compile {:core_transform, Lockstep.Instrument.InPlace}`.
  #
  # For modules that run both inside simulations and outside, as test modules do. Outside, every redirected call falls
  # back to the ordinary operation.

  alias Lockstep.Instrument.Transform

  @doc false
  @spec core_transform(:cerl.c_module(), [term()]) :: :cerl.c_module()
  def core_transform(core, _options), do: Transform.module(core, :in_place)
end
