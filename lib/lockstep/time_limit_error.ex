defmodule Lockstep.TimeLimitError do
  @moduledoc """
  A run went beyond the virtual time that `max_virtual_time:` allows.

  `:limit` is that time in virtual ms.
  """

  defexception [:limit]

  @type t :: %__MODULE__{limit: pos_integer()}

  @impl true
  def message(%__MODULE__{limit: limit}) do
    "the run did not end within max_virtual_time: #{limit} (virtual ms); a timer that is set again and again " <>
      "keeps a run alive, and a larger max_virtual_time: lets a long run end"
  end
end
