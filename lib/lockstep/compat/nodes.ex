defmodule Lockstep.Compat.Nodes do
  @moduledoc false
  # What `LocalCluster` does with a node once it is there: environment, files, applications.

  alias Lockstep.{Cluster, OptionError}
  alias Lockstep.Runtime.{Booting, Call, Services}

  @options [:applications, :environment, :files, :name, :prefix]
  # With these on its command line a VM would not know of the others.
  @host "127.0.0.1"

  @doc "The name of a member, by its number from 1."
  @spec name(String.t() | atom(), pos_integer()) :: node()
  def name(prefix, index), do: Booting.name("#{prefix}#{index}", @host)

  @doc "The part of such a name behind the `@`."
  @spec host() :: String.t()
  def host, do: @host

  @doc "Checks the options of a cluster."
  @spec check_options!(term(), String.t()) :: keyword()
  def check_options!(options, call) do
    unless Keyword.keyword?(options) do
      raise OptionError,
        value: options,
        source: call,
        expected: "expected a keyword list, such as [applications: [:app]]"
    end

    Enum.each(options, &check_option!(&1, call))
    options
  end

  defp check_option!({name, value}, call) do
    cond do
      name not in @options ->
        expected = "the options are #{Enum.map_join(@options, ", ", &inspect/1)}"
        raise OptionError, option: :unknown, value: name, source: call, expected: expected

      valid?(name, value) ->
        :ok

      true ->
        raise OptionError, option: name, value: value, source: call, expected: expected(name)
    end
  end

  defp valid?(:applications, apps), do: is_list(apps) and Enum.all?(apps, &is_atom/1)

  defp valid?(:environment, env),
    do: Keyword.keyword?(env) and Enum.all?(env, fn {_, kvs} -> Keyword.keyword?(kvs) end)

  defp valid?(:files, files), do: is_list(files) and Enum.all?(files, &is_binary/1)
  defp valid?(:prefix, prefix), do: is_binary(prefix) or is_atom(prefix)
  defp valid?(:name, _name), do: true

  defp expected(:applications), do: "expected a list of applications, such as [:my_app]"
  defp expected(:environment), do: "expected settings by application, such as [my_app: [port: 9000]]"
  defp expected(:files), do: "expected a list of paths, such as [__ENV__.file]"
  defp expected(:prefix), do: "expected the first part of the nodes' names, as a string or an atom"

  @doc "Checks how many members are asked for."
  @spec check_amount!(term(), String.t()) :: :ok
  def check_amount!(amount, _call) when is_integer(amount) and amount >= 0, do: :ok

  def check_amount!(amount, call) do
    raise ArgumentError, "#{call} needs a number of nodes, got #{inspect(amount)}; give 0 or more"
  end

  @doc "Gives a node that has just been started the environment of the caller's, and starts its applications."
  @spec prepare(Lockstep.Runtime.Context.t(), node(), keyword()) :: :ok
  def prepare(ctx, node, options) do
    Enum.each(Keyword.get(options, :files, []), &load_file/1)
    environment = changed_environment(ctx) ++ Keyword.get(options, :environment, [])
    apps = Keyword.get_lazy(options, :applications, &loaded/0)

    Cluster.run(node, fn ->
      for {app, settings} <- environment, {key, value} <- settings, do: set_env(app, key, value)
      Enum.each(apps, &start_application(node, &1))
    end)
  end

  # The test's own modules have been loaded from their file.
  defp load_file(file), do: Lockstep.host(fn -> Code.require_file(file) end)

  # As long as nobody has asked for the application controller, the environment is the one that every node begins with.
  defp changed_environment(ctx) do
    if Services.running?(ctx, :application_controller) do
      for app <- loaded(), do: {app, Call.apply(:application, :get_all_env, [app])}
    else
      []
    end
  end

  defp loaded, do: for({app, _, _} <- Call.apply(:application, :loaded_applications, []), do: app)

  defp set_env(app, key, value), do: Call.apply(:application, :set_env, [app, key, value, [persistent: true]])

  defp start_application(node, app) do
    with {:error, {at, reason}} <- Call.apply(:application, :ensure_all_started, [app]) do
      raise "application #{inspect(app)} could not be started on #{inspect(node)}: #{inspect(at)}: #{inspect(reason)}"
    end
  end
end
