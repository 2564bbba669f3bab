defmodule Lockstep.Runtime.Applications.Diskless do
  @moduledoc false
  # What applications that keep files are told, in their own settings, on a node that has no disk: simulated nodes have
  # none. What the VM's configuration says, or the node's own, comes first; then their files are escapes.

  @apps [:mnesia]

  # Some want the name of a directory whether or not they use it, and look for files there all the same.
  @nowhere ~c"/nodisk/"

  @doc "The applications that have such settings."
  @spec apps() :: [atom()]
  def apps, do: @apps

  @doc "The settings of an application on a node, as far as the VM's configuration leaves them open."
  @spec settings(node(), atom()) :: [{key :: atom(), value :: term()}]
  def settings(node, app), do: for({key, value} <- all(node, app), open?(app, key), do: {key, value})

  defp open?(app, key), do: :application.get_env(app, key) == :undefined

  defp all(node, :mnesia), do: [schema_location: :ram, dir: @nowhere ++ ~c"Mnesia.#{node}"]
  defp all(_node, _app), do: []

  @doc "Whether a file's name is in a directory that exists for no simulated node."
  @spec nowhere?(term()) :: boolean()
  def nowhere?(name), do: is_list(name) and :lists.prefix(@nowhere, name)
end
