defmodule Lockstep.Application do
  @moduledoc false
  use Application

  @impl true
  def start(_type, _args) do
    Lockstep.Runner.Warning.create_table()
    Lockstep.Runtime.Inspection.install()
    Lockstep.Runtime.Applications.load_of_the_vm()

    Supervisor.start_link([Lockstep.Instrument.Server, Lockstep.Runtime.DeepStack],
      strategy: :one_for_one,
      name: Lockstep.Supervisor
    )
  end
end
