defmodule Lockstep.DeadlockError do
  @moduledoc """
  Nothing can run any more, and the function of the run has not returned.

  No process is ready, no timer is set and no message is under way. `:processes` lists those that are still there, as
  maps:

    * `:id`, `:node`, `:label` - which process
    * `:waiting_in` - the code it waits in, as one line of a stack trace
    * `:place` - the nearest place of the program on its stack, `{file, line}`, or `nil`
    * `:unread` - its unread messages, as text
  """

  alias Lockstep.Report.{Names, Table}

  defexception processes: []

  @type process :: %{
          required(:id) => non_neg_integer(),
          required(:node) => atom(),
          required(:label) => String.t() | nil,
          required(:waiting_in) => String.t() | nil,
          optional(:place) => {String.t(), pos_integer()} | nil,
          required(:unread) => [String.t()]
        }

  @type t :: %__MODULE__{processes: [process()]}

  @doc "The message; the table is fitted to the terminal."
  @impl true
  def message(%__MODULE__{} = error), do: message(error, Lockstep.Runner.Terminal.text_width())

  @doc "The message with a table that is at most `width` columns wide."
  @spec message(t(), pos_integer()) :: String.t()
  def message(%__MODULE__{processes: processes}, width) do
    names = Names.build(processes)
    rows = for process <- processes, do: row(process, names[process.id])

    "deadlock: no process can run, no timer is set, no message is under way, and the function has not returned\n\n" <>
      Table.format(["process", "node", "waits in", "unread messages"], rows, width) <>
      "\n\nlook for the message that #{first(processes, names)} waits for: nobody is left to send it"
  end

  defp row(process, name) do
    [name, inspect(process.node), process.waiting_in || "?", unread(process.unread)]
  end

  defp unread([]), do: "none"
  defp unread(messages), do: Enum.join(messages, "\n")

  defp first([process | _], names), do: names[process.id]
  defp first([], _names), do: "main"
end
