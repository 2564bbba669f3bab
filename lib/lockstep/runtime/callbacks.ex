defmodule Lockstep.Runtime.Callbacks do
  @moduledoc false
  # `on_exit` and `start_supervised` inside of runs, wherever they are called: in a test, a case template, a helper. ExUnit
  # keeps both per test process, on the outside; here they belong to the run: the supervisor is a process of the run, and
  # the callbacks run at its end, in the main process. Outside of a run these are ExUnit's own functions.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Call, Context}
  alias Lockstep.Runtime.Process, as: Controlled

  @compile {:no_warn_undefined, [ExUnit.Callbacks]}

  # Entries of the process dictionary that the program does not see.
  @supervisor :"$lockstep_supervisor"
  @linked :"$lockstep_supervised_links"
  @callbacks :"$lockstep_on_exit"

  @doc "See `ExUnit.Callbacks.on_exit/2`."
  @spec on_exit(term(), (... -> term())) :: :ok
  def on_exit(name_or_ref \\ make_ref(), callback) when is_function(callback, 0) do
    if inside?("on_exit/2") do
      others = List.keydelete(Process.get(@callbacks, []), name_or_ref, 0)
      Process.put(@callbacks, [{name_or_ref, callback} | others])
      :ok
    else
      ExUnit.Callbacks.on_exit(name_or_ref, callback)
    end
  end

  @doc "See `ExUnit.Callbacks.start_supervised/2`."
  @spec start_supervised(Supervisor.child_spec() | {module(), term()} | module(), keyword()) ::
          {:ok, pid()} | {:ok, pid(), term()} | {:error, term()}
  def start_supervised(child, opts \\ []) do
    if inside?("start_supervised/2") do
      child = call(Supervisor, :child_spec, [child, opts])

      case call(Supervisor, :start_child, [supervisor(), child]) do
        {:error, {:already_started, _pid}} -> {:error, {:duplicate_child_name, child.id}}
        other -> other
      end
    else
      ExUnit.Callbacks.start_supervised(child, opts)
    end
  end

  @doc "See `ExUnit.Callbacks.start_supervised!/2`."
  @spec start_supervised!(Supervisor.child_spec() | {module(), term()} | module(), keyword()) :: pid()
  def start_supervised!(child, opts \\ []) do
    case start_supervised(child, opts) do
      {:ok, pid} -> pid
      {:ok, pid, _info} -> pid
      {:error, reason} -> raise "failed to start child with the spec #{inspect(child)}.\nReason: #{reason(reason)}"
    end
  end

  defp reason({:duplicate_child_name, id}),
    do: "starting child with id #{inspect(id)} failed, it is already used; give it another id"

  defp reason(reason), do: Exception.format_exit(reason)

  @doc "See `ExUnit.Callbacks.start_link_supervised!/2`."
  @spec start_link_supervised!(Supervisor.child_spec() | {module(), term()} | module(), keyword()) :: pid()
  def start_link_supervised!(child, opts \\ []) do
    pid = start_supervised!(child, opts)
    Controlled.link(pid)
    if Context.inside?(), do: Process.put(@linked, [pid | Process.get(@linked, [])])
    pid
  end

  @doc "See `ExUnit.Callbacks.stop_supervised/1`."
  @spec stop_supervised(term()) :: :ok | {:error, :not_found}
  def stop_supervised(id) do
    if inside?("stop_supervised/1") do
      with :ok <- call(Supervisor, :terminate_child, [supervisor(), id]) do
        # A temporary child is gone with its process.
        call(Supervisor, :delete_child, [supervisor(), id])
        :ok
      end
    else
      ExUnit.Callbacks.stop_supervised(id)
    end
  end

  @doc "See `ExUnit.Callbacks.stop_supervised!/1`."
  @spec stop_supervised!(term()) :: :ok
  def stop_supervised!(id) do
    with {:error, :not_found} <- stop_supervised(id) do
      raise "could not stop child ID #{inspect(id)} because it was not found"
    end
  end

  @doc """
  What ExUnit does after a test: takes what is linked to it along, stops the supervisor, then runs the callbacks, the last
  one first.

  Called at the end of a run that passed. A run that failed is over: nothing of it is left to clean up.
  """
  @spec finish() :: :ok
  def finish, do: finish(Process.get(@supervisor), Process.get(@callbacks, []))

  defp finish(nil, []), do: :ok

  defp finish(supervisor, callbacks) do
    links() |> List.delete(supervisor) |> Enum.each(&leave/1)
    if supervisor, do: call(Supervisor, :stop, [supervisor])
    Enum.each(callbacks, fn {_name, callback} -> callback.() end)
  end

  # ExUnit's own tests end before their callbacks run. This one goes on, so that it tells those that are linked to it. The
  # children of the supervisor, which would start them again, end with that.
  defp leave(pid) do
    Controlled.unlink(pid)
    if pid not in Process.get(@linked, []), do: Controlled.exit(pid, :shutdown)
  end

  defp links do
    ctx = Context.get()
    {links, _trap_exit, _name, _queued} = Native.info(ctx.session, ctx.pid)
    Enum.filter(links, &is_pid/1)
  end

  defp supervisor do
    with nil <- Process.get(@supervisor) do
      options = [strategy: :one_for_one, max_restarts: 1_000_000, max_seconds: 1]
      {:ok, pid} = call(Supervisor, :start_link, [[], options])
      Process.put(@supervisor, pid)
      pid
    end
  end

  # This module is not instrumented, so it says itself that these are calls within the run.
  defp call(module, function, args), do: Call.apply(module, function, args)

  # Whether the caller is a process of a run, which has to be the main process: only its end is waited for.
  defp inside?(function) do
    case Context.get() do
      nil -> false
      %{id: 0} -> true
      _ -> raise ArgumentError, "#{function} can only be invoked from the test process"
    end
  end
end
