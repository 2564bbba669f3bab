defmodule Multinode.Application do
  @moduledoc false

  use Application

  @impl true
  def start(_type, _args) do
    worker = Application.fetch_env!(:multinode, :worker)
    Supervisor.start_link(worker.children(), strategy: :one_for_one, name: Multinode.Supervisor)
  end
end
