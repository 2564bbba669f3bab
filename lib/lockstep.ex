defmodule Lockstep do
  @moduledoc """
  Deterministic testing of real, unmodified BEAM code.

  Processes, messages, timers, time and randomness of the code under test are under the control of a scheduler that
  draws every choice from a seed: the same seed gives the same run. `Lockstep.Case` and `Lockstep.Runner` run
  functions that way, once a seed; `Lockstep.Cluster` gives them nodes to stop and to partition.

  Call `start/0` in `test/test_helper.exs`:

      Lockstep.start()
      ExUnit.start()

  ## The functions of this module

  Code under test calls `spawn/1`, `send/2`, `Process.monitor/1`, `Process.sleep/1` and so on as always. The functions
  here do the same, for functions that do not use what the compiler instruments (scripts, `iex`) and for those who
  like to see in the test what is simulated:

      Lockstep.Runner.run(fn ->
        parent = Lockstep.self()
        Lockstep.spawn(fn -> Lockstep.send(parent, :done) end)
        :done = Lockstep.recv()
      end)

  They raise `Lockstep.OutsideRunError` outside a run.

  ## Instrumented modules

  Modules that a run calls are instrumented by themselves, as copies. The function that is given to the runner
  stands in a module that is already running; that module says

      use Lockstep

  to be instrumented when it is compiled (`use Lockstep.Case` includes it). Outside a run it behaves as ever.
  """

  import Kernel,
    except: [self: 0, send: 2, spawn: 1, spawn: 3, spawn_link: 1, spawn_link: 3, spawn_monitor: 1, spawn_monitor: 3]

  alias Lockstep.{Native, OutsideRunError, Runtime}
  alias Lockstep.Runtime.{Clock, Context, Mailbox, Monitor, Timer}

  @typedoc "Who can be sent a message."
  @type destination :: pid() | atom() | {atom(), node()} | reference()

  @doc false
  defmacro __using__(_options) do
    quote do
      @compile {:core_transform, Lockstep.Instrument.InPlace}
    end
  end

  @doc """
  Makes Lockstep ready; to be called in `test/test_helper.exs`, before tests are loaded.

  Modules that are compiled from now on, as test files are, can be run under control.
  """
  @spec start() :: :ok
  def start do
    case Code.ensure_loaded(Native) do
      {:module, _} ->
        :ok

      {:error, reason} ->
        raise "the native library of Lockstep cannot be loaded (#{inspect(reason)}); run `mix compile --force`"
    end

    {:ok, _} = Application.ensure_all_started(:lockstep)
    Lockstep.Instrument.install_tracer()
  end

  @doc """
  The pid of the calling process.
  """
  @spec self() :: pid()
  def self, do: inside("self/0", fn _ctx -> Runtime.Process.self() end)

  @doc """
  Starts a process on the caller's node.

      Lockstep.spawn(fn -> Lockstep.send(:server, :hello) end)
  """
  @spec spawn((... -> term())) :: pid()
  def spawn(fun), do: inside("spawn/1", fn _ctx -> Runtime.Spawning.spawn(fun) end)

  @doc """
  Starts a process on the caller's node that calls `apply(module, function, args)`.
  """
  @spec spawn(module(), atom(), [term()]) :: pid()
  def spawn(module, function, args) do
    inside("spawn/3", fn _ctx -> Runtime.Spawning.spawn(module, function, args) end)
  end

  @doc """
  As `spawn/1`, and links the process to the caller.
  """
  @spec spawn_link((... -> term())) :: pid()
  def spawn_link(fun), do: inside("spawn_link/1", fn _ctx -> Runtime.Spawning.spawn_link(fun) end)

  @doc """
  As `spawn/3`, and links the process to the caller.
  """
  @spec spawn_link(module(), atom(), [term()]) :: pid()
  def spawn_link(module, function, args) do
    inside("spawn_link/3", fn _ctx -> Runtime.Spawning.spawn_link(module, function, args) end)
  end

  @doc """
  As `spawn/1`, and monitors the process.

      {pid, ref} = Lockstep.spawn_monitor(fn -> exit(:boom) end)
      {:DOWN, ^ref, :process, ^pid, :boom} = Lockstep.recv()
  """
  @spec spawn_monitor((... -> term())) :: {pid(), reference()}
  def spawn_monitor(fun), do: inside("spawn_monitor/1", fn _ctx -> Runtime.Spawning.spawn_monitor(fun) end)

  @doc """
  As `spawn/3`, and monitors the process.
  """
  @spec spawn_monitor(module(), atom(), [term()]) :: {pid(), reference()}
  def spawn_monitor(module, function, args) do
    inside("spawn_monitor/3", fn _ctx -> Runtime.Spawning.spawn_monitor(module, function, args) end)
  end

  @doc """
  Sends a message and returns it.
  """
  @spec send(destination(), message) :: message when message: term()
  def send(destination, message), do: inside("send/2", fn _ctx -> Runtime.Message.send(destination, message) end)

  @doc """
  Sends a message after so many virtual milliseconds; returns the timer.

      timer = Lockstep.send_after(Lockstep.self(), :tick, 100)
      :tick = Lockstep.recv()
  """
  @spec send_after(pid() | atom(), term(), non_neg_integer()) :: reference()
  def send_after(destination, message, milliseconds) do
    inside("send_after/3", fn _ctx -> Timer.send_after(milliseconds, destination, message) end)
  end

  @doc """
  Cancels a timer; returns the milliseconds that were left, or `false` if it has fired or there is none.
  """
  @spec cancel_timer(reference()) :: non_neg_integer() | false
  def cancel_timer(timer), do: inside("cancel_timer/1", fn _ctx -> Timer.cancel_timer(timer) end)

  @doc """
  Waits for the next message, whatever it is, and returns it.

  With a timeout in virtual milliseconds, returns `:timeout` if none has come by then. Use `receive` to choose among
  messages.
  """
  @spec recv(timeout()) :: term() | :timeout
  def recv(timeout \\ :infinity), do: inside("recv/1", fn _ctx -> Mailbox.await(&{:ok, &1}, timeout) end)

  @doc """
  Watches a process, or a name: when it ends, the caller gets `{:DOWN, ref, :process, pid, reason}`.
  """
  @spec monitor(pid() | atom() | {atom(), node()}) :: reference()
  def monitor(process), do: inside("monitor/1", fn _ctx -> Monitor.monitor(:process, process) end)

  @doc """
  Stops watching. Options are those of `Process.demonitor/2`: `:flush` and `:info`.
  """
  @spec demonitor(reference(), [:flush | :info]) :: boolean()
  def demonitor(ref, options \\ []), do: inside("demonitor/2", fn _ctx -> Monitor.demonitor(ref, options) end)

  @doc """
  Links the caller to a process.
  """
  @spec link(pid()) :: true
  def link(pid), do: inside("link/1", fn _ctx -> Runtime.Process.link(pid) end)

  @doc """
  Removes the link to a process.
  """
  @spec unlink(pid()) :: true
  def unlink(pid), do: inside("unlink/1", fn _ctx -> Runtime.Process.unlink(pid) end)

  @doc """
  The virtual time since the start of the run, in milliseconds.
  """
  @spec now() :: non_neg_integer()
  def now, do: inside("now/0", fn ctx -> div(Clock.micros(ctx), 1000) end)

  @doc """
  Waits for so many virtual milliseconds.
  """
  @spec sleep(timeout()) :: :ok
  def sleep(milliseconds) do
    inside("sleep/1", fn _ctx -> Mailbox.await(fn _message -> :skip end, milliseconds) end)
    :ok
  end

  @doc """
  Asks until the answer is neither `nil` nor `false`, and returns it.

      Lockstep.Cluster.heal()
      user = Lockstep.eventually(fn -> Lockstep.Cluster.run(:b, fn -> Cache.get(1) end) end, within: 500)

  For what comes true after a while: that replicas agree, that a process is there again. A failed `assert` or `refute`
  in the function means "not yet" as well:

      Lockstep.eventually(fn -> assert Enum.sort(Store.keys(node)) == [:a, :b] end)

  Other exceptions, exits and throws are not caught. When the time is up it raises `Lockstep.EventuallyError`, with the
  last value or the last failed assertion. There is one last check when the time is up, and at least one.

  Options:

    * `:within` - how long to go on, in ms (default: `5_000`)
    * `:every` - how long to wait between two checks, in ms (default: `10`)

  These are virtual ms inside a run, where waiting costs nothing and the other processes go on meanwhile. Outside of a
  run they are real ones, so that tests with and without control can share what they wait for.

  Raises `Lockstep.OptionError` for wrong options and `ArgumentError` for what is no function.
  """
  @spec eventually((... -> value), keyword()) :: value when value: term()
  def eventually(fun, options \\ []), do: Runtime.Eventually.run(fun, options, nil)

  @doc """
  Claims that the check holds from now on, at every moment of the run.

      Lockstep.always("the jobs are done by one at most", fn -> :ets.info(:running, :size) <= 1 end)

      Lockstep.always("one leader at most", fn ->
        leads? = fn -> Process.whereis(Leader) != nil end
        Enum.count([:a, :b, :c], &Lockstep.Cluster.run(&1, leads?)) <= 1
      end)

  The check is made after every step of the run, between two steps: what it reads belongs to one moment, and it changes
  nothing of the schedule. It can read what is shared (tables, names, groups, counters, which processes live),
  on the caller's node or, inside of `Lockstep.Cluster.run/2`, on any other, but neither send, wait nor change anything.

  Where it gives `nil` or `false`, or fails, the run fails with `Lockstep.AlwaysError`. The last step of its schedule is
  the one that has broken the claim.

  Options:

    * `:for` - how long the claim is made, in virtual ms (default: until the run is over). While the caller's node is
      down there are no checks.
    * `:every` - have the check made by a process of the run, again and again after so many virtual ms, and not between
      the steps. Such a check can ask other processes, with `GenServer.call/2` for example, while they go on; it takes
      part in the schedule. While nothing else happens it is not made, so that it does not keep the run from ending.

  The name is a string or an atom. Raises `Lockstep.OutsideRunError` outside of a run, `Lockstep.OptionError` for wrong
  options, and `ArgumentError` for a wrong name or what is no function.
  """
  @spec always(String.t() | atom(), (... -> term()), keyword()) :: :ok
  def always(name, fun, options \\ []), do: Runtime.Always.declare(name, fun, options, nil)

  @doc """
  Claims that the condition is true in some of the runs of a sweep; returns the condition.

      Lockstep.sometimes("a write is retried", attempts > 1)

  A test may pass because what it is about never happens. So a sweep in which no run fails still fails, with
  `Lockstep.SometimesError`, if some of its runs have come to this call and the condition was true in none of them. With
  the option `sometimes: ["a write is retried"]` of the runner or of the tag it also fails if no run has come to it. A
  sweep of one seed, as of a replay, claims nothing. The summary says how many runs have met each condition.

  The name is a string or an atom; calls with the same name count as one. The call takes no step: it can stand anywhere
  in the code that a run executes, and the schedules are the same with and without it.

  Raises `Lockstep.OutsideRunError` outside of a run, where nobody would count, and `ArgumentError` for a wrong name.
  """
  @spec sometimes(String.t() | atom(), condition) :: condition when condition: term()
  def sometimes(name, condition), do: Runtime.Sometimes.record(name, condition, nil)

  @doc """
  Runs a function outside of control, and returns its value.

      config = Lockstep.host(fn -> File.read!("test/fixtures/config.json") end)

  For what a run may know of the real world, because it is the same each time (a file of the project), or because the
  run does not depend on it. The function gets a process of its own that is none of the run's: what it does is done for
  real, no virtual time passes, and the run's processes cannot be reached from it. Outside of a run it is just called.

  A sweep makes several runs at once, whose functions may be called at the same time and in any order. Where they would be
  in each other's way, the option `concurrency: 1` makes one run after the other.
  """
  @spec host((... -> value)) :: value when value: term()
  def host(fun) when is_function(fun, 0), do: Runtime.Host.run(fun)

  defp inside(call, fun) do
    case Context.get() do
      nil -> raise OutsideRunError, call: "Lockstep.#{call}"
      ctx -> fun.(ctx)
    end
  end
end
