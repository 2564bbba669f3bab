defmodule Lockstep.Cluster.StartOptions do
  @moduledoc false
  # Checks the options that a node is started with.

  import Lockstep.Cluster.Arguments, only: [error: 1, options!: 3]

  @defaults [connect: true, distributed: true, hidden: false, cookie: nil, env: [], start: nil]
  # What the kernel application of a real node takes, as far as the simulated cluster goes by it.
  @kernel ~w(net_ticktime net_tickintensity dist_auto_connect connect_all prevent_overlapping_partitions)a
  # Seconds; the core counts microseconds.
  @most 4_294_967

  @doc "The options as they were given."
  @spec check!(term()) :: keyword()
  def check!(options) do
    options!(options, @defaults, &fits?/1)
    for {application, settings} <- Keyword.get(options, :env, []), do: check_settings!(application, settings)
    options
  end

  @doc "The options that an argument stands for: options, or what is started."
  @spec read!(term()) :: keyword()
  def read!(options) when is_list(options), do: check!(options)
  def read!(start), do: check!(start: start)

  defp fits?({option, value}) when option in [:connect, :distributed, :hidden], do: is_boolean(value)
  defp fits?({:cookie, cookie}), do: is_atom(cookie) and cookie != nil
  defp fits?({:start, start}), do: is_function(start, 0) or application?(start)
  defp fits?({:env, env}), do: Keyword.keyword?(env) and Enum.all?(env, fn {_, set} -> Keyword.keyword?(set) end)

  defp application?(name), do: is_atom(name) and name not in [nil, true, false]

  defp check_settings!(:kernel, settings) do
    for {key, _} = setting <- settings, key in @kernel and not kernel?(setting) do
      error({:bad_option, {:env, [kernel: [setting]]}})
    end
  end

  defp check_settings!(_application, _settings), do: :ok

  defp kernel?({:net_ticktime, seconds}), do: is_integer(seconds) and seconds in 1..@most
  defp kernel?({:net_tickintensity, count}), do: is_integer(count) and count in 4..1000
  defp kernel?({:dist_auto_connect, value}), do: value in [:never, :once]
  defp kernel?({_switch, value}), do: is_boolean(value)
end
