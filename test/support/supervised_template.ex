defmodule SupervisedTemplate do
  @moduledoc false
  # A case template as projects have them, in a file of its own: inside a run it is a copy.
  use ExUnit.CaseTemplate

  using(do: quote(do: import(SupervisedTemplate)))

  setup tags do
    {:ok, agent: start_supervised!({Agent, fn -> tags.lockstep end})}
  end

  @doc "An agent that the test's supervisor starts."
  def start(number), do: start_supervised!(Supervisor.child_spec({Agent, fn -> number end}, id: number))

  @doc "Calls `fun` when the test has ended."
  def finally(fun), do: on_exit(fun)
end
