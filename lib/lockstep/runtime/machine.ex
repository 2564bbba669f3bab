defmodule Lockstep.Runtime.Machine do
  @moduledoc false
  # What programs may know of the machine they run on: the same on every machine.

  alias Lockstep.Runtime.{Clock, Context, Escape, Process}

  # Two of each: enough for programs that run things side by side to do so.
  @constants %{
    schedulers: 2,
    schedulers_online: 2,
    dirty_cpu_schedulers: 2,
    dirty_cpu_schedulers_online: 2,
    dirty_io_schedulers: 10,
    logical_processors: 2,
    logical_processors_online: 2,
    logical_processors_available: 2,
    scheduler_id: 1,
    port_count: 0,
    multi_scheduling: :enabled
  }

  @host ~c"nohost"

  # Properties of the VM's build and settings.
  @native ~w(build_type build_flavor compat_rel debug_compiled driver_version emu_flavor emu_type endian
             fullsweep_after garbage_collection heap_sizes heap_type machine max_heap_size message_queue_data
             min_bin_vheap_size min_heap_size nif_version otp_release smp_support thread_pool_size threads
             time_correction time_warp_mode tolerant_timeofday version wordsize atom_limit ets_limit port_limit
             process_limit)a

  @doc "`:erlang.system_info/1`. What is neither constant nor built in (load, identity, devices) is an escape."
  @spec system_info(term()) :: term()
  def system_info(item) do
    case {Context.inside?(), @constants} do
      {true, %{^item => value}} -> value
      {true, _} when item == :process_count -> length(Process.processes())
      {true, _} when item == :creation -> creation(Context.get())
      {true, _} when item in @native -> :erlang.system_info(item)
      {true, _} when elem(item, 0) == :wordsize -> :erlang.system_info(item)
      {true, _} -> Escape.call(:erlang, :system_info, [item], nil)
      {false, _} -> :erlang.system_info(item)
    end
  end

  # A node that is started again is another one (Distributed Erlang, "creation").
  defp creation(ctx) do
    case :ets.lookup(ctx.store, {:creation, ctx.node}) do
      [{_, count}] -> count
      [] -> 0
    end
  end

  @doc "`:inet.gethostname/0`: all simulated nodes are on one host."
  @spec gethostname() :: {:ok, charlist()}
  def gethostname, do: if(Context.inside?(), do: {:ok, @host}, else: :inet.gethostname())

  @doc "`:net_adm.localhost/0`."
  @spec localhost() :: charlist()
  def localhost, do: if(Context.inside?(), do: @host, else: :net_adm.localhost())

  @doc """
  `:erlang.statistics/1`. The time that has passed is virtual, and all of it counts as spent by the one scheduler there
  is; the rest is an escape.
  """
  @spec statistics(atom()) :: term()
  def statistics(item) do
    case Context.get() do
      nil -> :erlang.statistics(item)
      ctx -> count(ctx, item)
    end
  end

  defp count(ctx, item) when item in [:wall_clock, :runtime] do
    now = div(Clock.micros(ctx), 1000)
    key = {item, ctx.node}
    last = with [{_, last}] <- :ets.lookup(ctx.store, key), do: last, else: ([] -> 0)
    :ets.insert(ctx.store, {key, now})
    {now, now - last}
  end

  # Nobody else is waiting to run: the process that asks is running.
  defp count(_ctx, :run_queue), do: 0
  defp count(_ctx, item), do: Escape.call(:erlang, :statistics, [item], nil)
end
