defmodule Lockstep.Runtime.Peer.Options do
  @moduledoc false
  # The options of `:peer.start/1`. What a real peer would be refused is refused as there; what a simulated one cannot
  # have is an `ArgumentError`.

  # As long as a real node may take to boot.
  @boot_timeout 15_000
  @shortest_timeout 1_000

  defstruct [:name, :host, :connection, :wait, args: [], peer_down: :stop, shutdown: :halt]

  @type t :: %__MODULE__{
          name: String.t(),
          host: String.t() | nil,
          connection: term(),
          wait: {:until, timeout()} | {:notify, pid(), term()} | :no,
          args: [String.t()],
          peer_down: :stop | :continue | :crash,
          shutdown: :close | :halt | :stop
        }

  @doc "Reads the options."
  @spec read!(map()) :: t()
  def read!(options) when is_map(options) do
    Enum.each([exec: [], env: []], fn {key, none} -> refuse(key, Map.get(options, key, none), none) end)
    name = Map.get(options, :name) || raise ArgumentError, "a simulated peer needs a name, as in %{name: :worker}"

    %__MODULE__{
      name: to_string(name),
      host: options[:host] && to_string(options[:host]),
      connection: options[:connection],
      wait: wait(Map.get(options, :wait_boot, @boot_timeout)),
      args: Enum.map(args(Map.get(options, :args, [])), &to_string/1),
      peer_down: Map.get(options, :peer_down, :stop),
      shutdown: shutdown(Map.get(options, :shutdown, :halt))
    }
  end

  def read!(options), do: :erlang.error({:badmap, options})

  defp refuse(_key, none, none), do: :ok

  defp refuse(key, value, _none) do
    raise ArgumentError,
          "a simulated peer cannot have #{key}: #{inspect(value)}: all nodes are in one VM; leave the option out"
  end

  defp args(args) when is_list(args) do
    Enum.each(args, &unless(is_list(&1), do: :erlang.error({:invalid_arg, &1})))
    args
  end

  defp args(args), do: :erlang.error({:invalid_arg, args})

  defp wait({pid, tag}) when is_pid(pid), do: {:notify, pid, tag}
  defp wait(false), do: :no
  defp wait(timeout) when timeout == :infinity or (is_integer(timeout) and timeout >= 0), do: {:until, timeout}
  defp wait(other), do: :erlang.error({:wait_boot, other})

  defp shutdown(:close), do: :close
  defp shutdown(:halt), do: :halt
  defp shutdown({:halt, time}) when time == :infinity or (is_integer(time) and time >= @shortest_timeout), do: :halt
  defp shutdown({time, cover}) when is_atom(cover), do: shutdown(time)
  defp shutdown(time) when time == :infinity or (is_integer(time) and time >= @shortest_timeout), do: :stop
  defp shutdown(other), do: :erlang.error({:shutdown, other})
end
