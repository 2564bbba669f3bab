defmodule Lockstep.StepLimitError do
  @moduledoc """
  A run had more steps than `max_steps:` allows.

  `:limit` is that number; `:busiest` are the processes, by the names that the schedule gives them, that took most of the
  last steps, services of the nodes such as `global` included. It is empty where the run was not recorded.
  """

  # A number tells it from that of the node's former life.
  @name_server ~r/::global_name_server(#\d+)?$/

  defexception [:limit, busiest: []]

  @type t :: %__MODULE__{limit: pos_integer(), busiest: [String.t()]}

  @impl true
  def message(%__MODULE__{limit: limit, busiest: busiest}) do
    "the run did not end within max_steps: #{limit}; #{busy(busiest)}the last steps of the schedule show what goes on for " <>
      "ever, and a larger max_steps: lets a long run end"
  end

  defp busy([]), do: ""

  defp busy(names) do
    if Enum.all?(names, &(&1 =~ @name_server)), do: livelock(names), else: at_the_end(names)
  end

  defp livelock(names) do
    at_the_end(names) <>
      "if they never agree, it is the livelock of OTP's global that docs/global-livelock.md describes, and nodes started " <>
      "with env: [kernel: [connect_all: false]] are free of it; "
  end

  defp at_the_end(names), do: "at the end it was #{Enum.join(names, " and ")} that went on; "
end
