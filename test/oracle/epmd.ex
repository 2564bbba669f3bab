defmodule Oracle.Epmd do
  @moduledoc false
  # What a real node asks instead of the port mapper daemon (-epmd_module): it listens wherever the system lets it, and
  # reaches each other node through the proxy that its starter named in its environment.

  @variable ~c"LOCKSTEP_ORACLE_PROXIES"
  @version 6

  @doc "The environment of a node whose ways to others lead through these ports."
  def environment(ports) do
    [{@variable, ports |> Enum.map_join(";", fn {name, port} -> "#{name}=#{port}" end) |> to_charlist()}]
  end

  @doc "The port on which the node of the caller listens, nil if it is none."
  def listens, do: :persistent_term.get(__MODULE__, nil)

  def start_link, do: :ignore

  def listen_port_please(_name, _host), do: {:ok, 0}

  def register_node(_name, port, _family), do: register_node(nil, port)

  # A node that is started again must not look like the one before.
  def register_node(_name, port) do
    :persistent_term.put(__MODULE__, port)
    {:ok, :erlang.phash2({:os.getpid(), :erlang.system_time()}, 0x3FFFFFFF) + 4}
  end

  def address_please(name, _host, _family) do
    case port(name) do
      nil -> {:error, :nxdomain}
      port -> {:ok, {127, 0, 0, 1}, port, @version}
    end
  end

  def port_please(name, host), do: port_please(name, host, :infinity)

  def port_please(name, _host, _timeout) do
    case port(name) do
      nil -> :noport
      port -> {:port, port, @version}
    end
  end

  def names(_host), do: {:error, :address}

  defp port(name) do
    wanted = :lists.flatten(:io_lib.format("~ts=", [name]))

    case for(entry <- entries(), :lists.prefix(wanted, entry), do: :lists.nthtail(length(wanted), entry)) do
      [port | _] -> :erlang.list_to_integer(port)
      [] -> nil
    end
  end

  defp entries do
    case :os.getenv(@variable) do
      false -> []
      value -> :string.lexemes(value, ~c";")
    end
  end
end
