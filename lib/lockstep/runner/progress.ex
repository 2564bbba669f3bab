defmodule Lockstep.Runner.Progress do
  @moduledoc false
  # One line that is rewritten in place while a sweep goes on.
  #
  # A process of its own prints it, so that it also moves during one long run. The runner only stores two counters.
  # The line comes after a second, and is cleared at the end. Of several sweeps at once, only one has the line: the
  # one whose process has the registered name.

  alias Lockstep.Instrument.Server
  alias Lockstep.Report.Time

  @delay 1_000
  @interval 200
  @runs 1
  @distinct 2
  @failed 3

  @type t :: %{pid: pid(), counters: :counters.counters_ref()} | nil

  @doc """
  Starts the progress of a sweep of `total` runs; nothing happens where nobody is watching.

  With `:fresh_line` the line does not overwrite what stands on the current one, such as ExUnit's dots. The options
  `:device`, `:delay`, `:interval` and `:width` are for tests.
  """
  @spec start(pos_integer(), keyword()) :: t()
  def start(total, opts \\ []) do
    device = opts[:device] || if(Lockstep.Runner.Terminal.interactive?(), do: Process.group_leader())
    if device, do: launch(total, device, opts)
  end

  defp launch(total, device, opts) do
    counters = :counters.new(3, [])
    owner = self()

    state = %{
      total: total,
      counters: counters,
      device: device,
      delay: opts[:delay] || @delay,
      interval: opts[:interval] || @interval,
      width: opts[:width] || Lockstep.Runner.Terminal.width(),
      fresh_line: Keyword.get(opts, :fresh_line, false),
      made: Server.made(),
      started: System.monotonic_time(:millisecond),
      shown: false
    }

    %{pid: spawn(fn -> init(state, owner) end), counters: counters}
  end

  @doc "Says how far the sweep is."
  @spec update(t(), non_neg_integer(), non_neg_integer()) :: :ok
  def update(nil, _runs, _distinct), do: :ok

  def update(progress, runs, distinct) do
    :counters.put(progress.counters, @runs, runs)
    :counters.put(progress.counters, @distinct, distinct)
  end

  @doc "Says that the last run has failed, and is looked at more closely."
  @spec failed(t()) :: :ok
  def failed(nil), do: :ok
  def failed(progress), do: :counters.put(progress.counters, @failed, 1)

  @doc "Clears the line, and returns when it is gone."
  @spec stop(t()) :: :ok
  def stop(nil), do: :ok

  def stop(%{pid: pid}) do
    ref = Process.monitor(pid)
    send(pid, :stop)

    receive do
      {:DOWN, ^ref, :process, ^pid, _reason} -> :ok
    end
  end

  @doc "The line itself, at most `width` wide."
  @spec line(non_neg_integer(), pos_integer(), non_neg_integer(), non_neg_integer(), pos_integer()) :: String.t()
  def line(runs, total, distinct, elapsed_ms, width) do
    rate = round(runs * 1000 / max(elapsed_ms, 1))

    ("lockstep: #{Time.digits(runs)} of #{Time.count(total, "run")}, #{Time.digits(rate)} a second, " <>
       Time.count(distinct, "distinct schedule"))
    |> String.slice(0, width - 1)
  end

  defp init(state, owner) do
    ref = Process.monitor(owner)
    loop(state, ref, state.delay)
  end

  defp loop(state, ref, wait) do
    receive do
      :stop -> clear(state)
      {:DOWN, ^ref, :process, _pid, _reason} -> clear(state)
    after
      wait -> state |> claim() |> print() |> loop(ref, state.interval)
    end
  end

  defp claim(%{shown: true} = state), do: state

  defp claim(state) do
    Process.register(self(), __MODULE__)
    if state.fresh_line, do: IO.write(state.device, "\n")
    %{state | shown: true}
  rescue
    # Another sweep has the line; ask again at the next interval.
    ArgumentError -> state
  end

  defp print(%{shown: false} = state), do: state

  defp print(state) do
    IO.write(state.device, ["\r\e[2K", text(state)])
    state
  end

  defp text(state) do
    elapsed = System.monotonic_time(:millisecond) - state.started
    [runs, distinct, failed] = Enum.map([@runs, @distinct, @failed], &:counters.get(state.counters, &1))

    if failed == 1,
      do: failed_line(runs, state.total, state.width),
      else: preparing(state, runs) || line(runs, state.total, distinct, elapsed, state.width)
  end

  @doc "The line while the run that has failed is made smaller."
  @spec failed_line(pos_integer(), pos_integer(), pos_integer()) :: String.t()
  def failed_line(run, total, width) do
    "lockstep: run #{Time.digits(run)} of #{Time.digits(total)} fails; looking for the shortest way to the failure"
    |> String.slice(0, width - 1)
  end

  # The first run of a program is mostly made of that.
  defp preparing(state, 0) do
    made = Server.made() - state.made
    if made > 0, do: preparing_line(made, state.width)
  end

  defp preparing(_state, _runs), do: nil

  @doc "The line while the code under test is instrumented."
  @spec preparing_line(pos_integer(), pos_integer()) :: String.t()
  def preparing_line(made, width) do
    "lockstep: instrumenting, #{Time.count(made, "module")} so far; the next time they are there"
    |> String.slice(0, width - 1)
  end

  defp clear(%{shown: true} = state), do: IO.write(state.device, "\r\e[2K")
  defp clear(_state), do: :ok
end
