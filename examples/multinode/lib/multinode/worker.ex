defmodule Multinode.Worker do
  @moduledoc """
  The process that does the job, of which a cluster should have one.
  """

  @doc "The children of a node's supervisor."
  @callback children() :: [Supervisor.child_spec() | {module(), term()} | module()]

  @doc "The name of the worker in the whole cluster."
  @spec name() :: atom()
  def name, do: :background_work
end
