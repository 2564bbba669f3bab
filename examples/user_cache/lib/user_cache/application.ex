defmodule UserCache.Application do
  @moduledoc false

  use Application

  alias UserCache.{Group, Server}

  # Whoever restarts takes what comes after it along: a new group has no members yet.
  @impl true
  def start(_type, _args) do
    sync = List.wrap(Application.fetch_env!(:user_cache, :sync))
    Supervisor.start_link([Group, Server | sync], strategy: :rest_for_one, name: UserCache.Supervisor)
  end
end
