defmodule Shop.Application do
  @moduledoc """
  One branch of the shop.

  The orders come last: they are stopped first, while the stock can still take back what they had reserved. Whatever
  restarts takes everything with it that has started after it, since orders know nothing of a new stock or bank.
  """

  use Application
  require Logger

  @impl true
  def start(_type, _args) do
    children = [
      {Registry, keys: :unique, name: Shop.Registry},
      Shop.Stock,
      Shop.Bank,
      {Task.Supervisor, name: Shop.Payments},
      {DynamicSupervisor, name: Shop.Orders}
    ]

    Supervisor.start_link(children, strategy: :rest_for_one, name: Shop.Supervisor)
  end

  @impl true
  def prep_stop(state) do
    Logger.info("#{node()} closes with #{DynamicSupervisor.count_children(Shop.Orders).active} orders")
    state
  end

  @impl true
  def stop(_state), do: Logger.info("#{node()} is closed")
end
