defmodule Worker do
  @moduledoc "What the pool lends: does a piece of work for whoever has it, stops with it, or crashes over it."

  @behaviour :poolboy_worker
  use GenServer

  @impl :poolboy_worker
  def start_link(args), do: GenServer.start_link(__MODULE__, args)

  @doc "Works for so many milliseconds."
  @spec work(pid(), non_neg_integer()) :: :done
  def work(worker, milliseconds), do: GenServer.call(worker, {:work, milliseconds})

  @doc "Works for the last time: the worker answers and stops."
  @spec work_and_stop(pid()) :: :done
  def work_and_stop(worker), do: GenServer.call(worker, :work_and_stop)

  @doc "Does not survive it; nor does the caller, with the worker's reason."
  @spec crash(pid()) :: no_return()
  def crash(worker), do: GenServer.call(worker, :crash)

  @impl GenServer
  def init(args), do: {:ok, args}

  @impl GenServer
  def handle_call({:work, milliseconds}, _from, state) do
    Process.sleep(milliseconds)
    {:reply, :done, state}
  end

  def handle_call(:work_and_stop, _from, state), do: {:stop, {:shutdown, :worn_out}, :done, state}
  def handle_call(:crash, _from, state), do: {:stop, {:shutdown, :crashed}, state}
end
