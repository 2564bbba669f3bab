defmodule Oracle.Server do
  @moduledoc false
  # An ordinary server, for scenarios that call one.
  use GenServer

  def start(name), do: GenServer.start(__MODULE__, name, name: name)

  @impl true
  def init(name), do: {:ok, name}

  @impl true
  def handle_call(:node, _from, state), do: {:reply, node(), state}
  def handle_call({:sleep, milliseconds}, _from, state), do: {:reply, Process.sleep(milliseconds), state}
  def handle_call({:exit, reason}, _from, _state), do: exit(reason)
  def handle_call(:halt, _from, _state), do: :erlang.halt(0, flush: false)

  @impl true
  def handle_cast(_request, state), do: {:noreply, state}

  @impl true
  def handle_info(_message, state), do: {:noreply, state}
end
