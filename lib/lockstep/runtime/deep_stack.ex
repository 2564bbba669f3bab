defmodule Lockstep.Runtime.DeepStack do
  @moduledoc false
  # Stacks deeper than the VM shows.
  #
  # How much of a stack the VM shows is one setting for all processes. The program must not see it changed: it is in
  # the stack traces that a program sends and prints. So one process raises it, looks at another's stack and sets it
  # back, and since there is only this one, what it sets back is what was there before.

  use GenServer

  # More than any program's way from its own code down to a scheduling point.
  @depth 100
  # What the VM shows unless it is told otherwise.
  @usual 8

  @doc "How many frames of a stack the VM shows at least when there are more."
  @spec usual() :: pos_integer()
  def usual, do: @usual

  @doc "The stack of `pid`, as `Process.info(pid, :current_stacktrace)` gives it, but deeper."
  @spec of(pid()) :: Exception.stacktrace()
  def of(pid), do: GenServer.call(__MODULE__, {:stack, pid}, :infinity)

  @doc false
  def start_link(_), do: GenServer.start_link(__MODULE__, nil, name: __MODULE__)

  @impl true
  def init(nil), do: {:ok, nil}

  @impl true
  def handle_call({:stack, pid}, _from, state) do
    before = :erlang.system_flag(:backtrace_depth, @depth)

    try do
      {:reply, stack(Process.info(pid, :current_stacktrace)), state}
    after
      :erlang.system_flag(:backtrace_depth, before)
    end
  end

  defp stack({:current_stacktrace, stack}), do: stack
  # It has been killed while it asked.
  defp stack(nil), do: []
end
