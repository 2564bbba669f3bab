defmodule Lockstep.Runtime.Host do
  @moduledoc false
  # A deliberate way out of the run: a function that acts on the real world.
  #
  # It gets a process of its own, which is none of the run: everything it does is done for real, its messages and its
  # mailbox included.

  alias Lockstep.Runtime.{Context, Stack}

  @doc "Runs `fun` outside of control and returns its value, or raises what it raises."
  @spec run((... -> value)) :: value when value: term()
  def run(fun) do
    if Context.inside?(), do: outside(fun), else: fun.()
  end

  defp outside(fun) do
    # Not linked, as its caller's links are the run's. It watches the caller instead, which may be killed at any time.
    caller = :erlang.self()
    {pid, monitor} = :erlang.spawn_monitor(fn -> exit({:lockstep_host, guarded(caller, fun)}) end)

    receive do
      {:DOWN, ^monitor, :process, ^pid, {:lockstep_host, {:ok, value}}} -> value
      {:DOWN, ^monitor, :process, ^pid, {:lockstep_host, {kind, reason, stack}}} -> :erlang.raise(kind, reason, stack)
      {:DOWN, ^monitor, :process, ^pid, reason} -> exit(reason)
    end
  end

  defp guarded(caller, fun) do
    watchman = watch(caller, :erlang.self())
    result = attempt(fun)
    :erlang.exit(watchman, :kill)
    result
  end

  defp attempt(fun) do
    {:ok, fun.()}
  catch
    kind, reason -> {kind, reason, Stack.clean(__STACKTRACE__)}
  end

  defp watch(caller, pid) do
    :erlang.spawn(fn ->
      monitor = :erlang.monitor(:process, caller)

      receive do
        {:DOWN, ^monitor, :process, ^caller, _} -> :erlang.exit(pid, :kill)
      end
    end)
  end
end
