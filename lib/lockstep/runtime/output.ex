defmodule Lockstep.Runtime.Output do
  @moduledoc false
  # What a run prints and logs, in the order it did. Kept only of a recorded run: nobody sees it of any other.

  alias Lockstep.Runtime.Context
  alias Lockstep.Runtime.Log.Text

  @type entry :: %{
          node: node(),
          process: non_neg_integer(),
          kind: {:print, atom()} | {:log, :logger.level()},
          text: String.t()
        }

  @doc "Keeps what has been printed on a device."
  @spec print(Context.t(), atom(), String.t()) :: :ok
  def print(ctx, device, text), do: keep(ctx, {:print, device}, text)

  @doc "Keeps a log message."
  @spec log(Context.t(), map()) :: :ok
  def log(ctx, event), do: keep(ctx, {:log, event.level}, event)

  defp keep(%{record?: false}, _kind, _content), do: :ok

  defp keep(ctx, kind, content) do
    number = :ets.update_counter(ctx.store, :outputs, 1, {:outputs, 0})
    :ets.insert(ctx.store, {{:output, number}, %{node: ctx.node, process: ctx.id, kind: kind, text: content}})
    :ok
  end

  @doc "All that was kept, at the end of the run."
  @spec all(:ets.tid()) :: [entry()]
  def all(store) do
    entries = store |> :ets.match({{:output, :"$1"}, :"$2"}) |> Enum.sort()
    for [_number, entry] <- entries, do: in_words(entry)
  end

  defp in_words(%{kind: {:log, _level}} = entry), do: %{entry | text: Text.of(entry.text)}
  defp in_words(entry), do: entry
end
