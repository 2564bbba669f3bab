defmodule Lockstep.Runtime.Ending do
  @moduledoc false
  # How a process of a run ends: the core says who has to hear of it, the process tells them why.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Base, Context, Mailbox, Turn}
  alias Lockstep.Runtime.Ets.Ownership

  require Turn

  @doc "Ends the caller with `reason`; the real process has nothing left to do afterwards."
  @spec finish(Context.t(), term()) :: :ok
  def finish(ctx, reason) do
    class = class(reason)
    if class == :crash, do: keep(ctx, reason)
    :ended = Turn.take(Native.exit(ctx.session, ctx.id, class))
    Turn.note(ctx, fn -> {"exit #{inspect(reason)}", reason} end)
    leave(ctx, reason)
  end

  @doc """
  Ends the caller because it was killed.

  It kills itself for real, so that no `catch` or `after` of the program runs. Before, as long as it can still speak,
  it tells the others why.
  """
  @spec die(pos_integer() | atom()) :: no_return()
  def die(cause) do
    ctx = Context.get()
    reason = reason(cause)
    if ctx.id == 0, do: send(ctx.warden, {:"$lockstep_main", {:crash, :exit, reason, []}})
    if class(reason) == :crash, do: keep(ctx, reason)
    Turn.note(ctx, fn -> {"killed: #{inspect(reason)}", reason} end)
    leave(ctx, reason)
    Process.exit(self(), :kill)
    Process.sleep(:infinity)
  end

  # For the failure of the run, if a crash is one.
  defp keep(ctx, reason) do
    if :crash in :ets.lookup_element(ctx.store, :fail_on, 2), do: :ets.insert(ctx.store, {{:crash, ctx.id}, reason})
  end

  defp reason(id) when is_integer(id) do
    {:exit, _from, reason} = Mailbox.content(id)
    reason
  end

  defp reason(reason), do: reason

  defp leave(ctx, reason) do
    {heirs, messages} = ctx |> Ownership.bequeath() |> Enum.unzip()
    {notices, ties} = Native.finish(ctx.session, ctx.id, heirs)
    Base.bury(ctx, ctx.id)
    Enum.zip_with(notices, messages, fn {real, id, nil}, message -> send(real, {:"$lockstep", id, message}) end)

    Enum.each(ties, fn
      {real, id, nil} -> send(real, {:"$lockstep_exit", id, ctx.pid, reason})
      {real, id, monitor} -> send(real, {:"$lockstep_down", id, monitor, reason})
    end)
  end

  @doc "What the core has to know of an exit reason."
  @spec class(term()) :: :normal | :shutdown | :crash
  def class(:normal), do: :normal
  def class(:shutdown), do: :shutdown
  def class({:shutdown, _}), do: :shutdown
  def class(_), do: :crash
end
