defmodule Lockstep.Runtime.Turn do
  @moduledoc false
  # The gate. A process announces what it is about to do through `Lockstep.Native` and comes here with the answer:
  # either it goes on at once, or it hands the turn straight to the process the core chose and waits for its own.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Ending, Mailbox, Place, Stack}

  @doc "Goes on when the core says so; the result of the operation that was announced."
  @spec take(Native.next()) :: Native.grant()
  def take({:go, {:die, cause}}), do: Ending.die(cause)
  def take({:go, grant}), do: grant

  def take({:pass, pid, grant}) do
    send(pid, {:"$lockstep_turn", grant})
    wait()
  end

  def take({:over, warden}) do
    send(warden, :"$lockstep_over")
    wait()
  end

  # The warden makes the choice, and hands the turn on.
  def take({:choose, warden}) do
    send(warden, :"$lockstep_choose")
    wait()
  end

  def take({:error, :foreign}) do
    raise ArgumentError,
          "the process is not one of this run; processes of the host cannot take part in it: start it in the function " <>
            "that is run, or in setup instead of setup_all"
  end

  def take({:error, :only_looks}) do
    raise ArgumentError,
          "a check of Lockstep.always/3 only looks: it cannot send, wait, start or change anything; with the option " <>
            "every: it is made by a process of the run, which can"
  end

  def take({:error, reason}), do: raise(ArgumentError, "the simulation refused the step: #{inspect(reason)}")

  @doc """
  Waits for the caller's turn.

  What other processes send it meanwhile is put aside: a later wait must not have to look through it again.
  """
  @spec wait() :: Native.grant()
  def wait do
    receive do
      {:"$lockstep_turn", {:die, cause}} -> Ending.die(cause)
      {:"$lockstep_turn", grant} -> grant
      {:"$lockstep", id, term} -> wait_with(id, {:message, term})
      {:"$lockstep_exit", id, from, reason} -> wait_with(id, {:exit, from, reason})
      {:"$lockstep_down", id, number, reason} -> wait_with(id, {:down, number, reason})
      # What the VM says of a table: the run has a message of its own for that.
      {:"ETS-TRANSFER", _, _, :"$lockstep"} -> wait()
    end
  end

  # Nearly always what comes is what the process waits for, and its turn comes next: then it need not be put aside.
  defp wait_with(id, content) do
    Mailbox.hold(id, content)

    receive do
      {:"$lockstep_turn", [^id]} -> [{:here, content}]
      {:"$lockstep_turn", grant} -> stash(id, content, grant)
      {:"$lockstep", other, term} -> stash(id, content, other, {:message, term})
      {:"$lockstep_exit", other, from, reason} -> stash(id, content, other, {:exit, from, reason})
      {:"$lockstep_down", other, number, reason} -> stash(id, content, other, {:down, number, reason})
      {:"ETS-TRANSFER", _, _, :"$lockstep"} -> wait_with(id, content)
    end
  end

  defp stash(id, content, grant) do
    Mailbox.stash(id, content)
    granted(grant)
  end

  defp stash(id, content, other, more) do
    Mailbox.stash(id, content)
    wait_with(other, more)
  end

  defp granted({:die, cause}), do: Ending.die(cause)
  defp granted(grant), do: grant

  @doc """
  Puts the step just taken into words, in a recorded run: `describe` gives a text and the terms to digest.

  A macro, so that nothing is made of it in a run that is not recorded.
  """
  defmacro note(ctx, describe) do
    quote do
      case unquote(ctx) do
        %{record?: false} -> :ok
        ctx -> unquote(__MODULE__).write(ctx, unquote(describe))
      end
    end
  end

  @doc false
  @spec write(Lockstep.Runtime.Context.t(), (... -> {String.t(), term()})) :: :ok
  def write(ctx, describe) do
    if ctx.stacks != [], do: Enum.each(ctx.stacks, &keep_stack(ctx, &1))
    {text, term} = describe.()
    Native.note(ctx.session, text, :erlang.phash2(term), Place.of_program(ctx.store))
    :ok
  end

  @doc "As `note/2`, for a step whose numbers say all there is to say: only its place in the program is noted."
  @spec mark(Lockstep.Runtime.Context.t()) :: :ok
  def mark(%{record?: false}), do: :ok

  def mark(ctx) do
    if ctx.stacks != [], do: Enum.each(ctx.stacks, &keep_stack(ctx, &1))
    Native.note(ctx.session, "", 0, Place.of_program(ctx.store))
    :ok
  end

  # Where the process was that took a step which is asked for.
  defp keep_stack(%{id: id} = ctx, {step, id}) do
    if Native.progress(ctx.session) >= step do
      {:current_stacktrace, [_info | stack]} = Process.info(self(), :current_stacktrace)
      :ets.insert_new(ctx.store, {{:stack, step}, Stack.current(stack)})
    end
  end

  defp keep_stack(_ctx, _of_another), do: true
end
