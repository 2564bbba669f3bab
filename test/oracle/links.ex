defmodule Oracle.Links do
  @moduledoc false
  # The state of the network between real nodes: a table that the proxies read and the world writes.

  def new do
    links = :ets.new(:links, [:public, read_concurrency: true])
    :ets.insert(links, {:connections, 0})
    links
  end

  @doc "A number for a connection that has just been opened, greater than all before."
  def number(links), do: :ets.update_counter(links, :connections, 1)

  @doc "Where a node listens."
  def put_port(links, node, port), do: :ets.insert(links, {{:port, node}, port})
  def port(links, node), do: get(links, {:port, node}, nil)

  @doc "Whether what one node sends to another waits: all of it, or what goes through older connections."
  def stall(links, from, to, stall?), do: :ets.insert(links, {{:stall, from, to}, stall?})
  def stalled?(links, from, to), do: get(links, {:stall, from, to}, false)

  def stalled?(links, from, to, number) do
    stalled?(links, from, to) or number <= get(links, {:frozen, pair(from, to)}, 0)
  end

  @doc "From now on the connections of two nodes that are there stay silent for ever; new ones are not affected."
  def freeze(links, a, b), do: :ets.insert(links, {{:frozen, pair(a, b)}, get(links, :connections, 0)})

  @doc "Connections of two nodes that are there are to be reset."
  def reset(links, a, b), do: :ets.insert(links, {{:reset, pair(a, b)}, get(links, :connections, 0)})
  def reset?(links, a, b, number), do: number <= get(links, {:reset, pair(a, b)}, 0)

  @doc "What becomes of new connections of two nodes: `:up`, `:refuse` or `:hold`."
  def set_new(links, a, b, mode), do: :ets.insert(links, {{:new, pair(a, b)}, mode})

  def new(links, a, b) do
    if stalled?(links, a, b) or stalled?(links, b, a), do: :hold, else: get(links, {:new, pair(a, b)}, :up)
  end

  @doc "How many ms everything from one node to another takes."
  def set_delay(links, from, to, delay), do: :ets.insert(links, {{:delay, from, to}, delay})
  def delay(links, from, to), do: get(links, {:delay, from, to}, 0)

  defp pair(a, b), do: {min(a, b), max(a, b)}

  # The table ends with the world, and with it who still reads it.
  defp get(links, key, default) do
    case :ets.lookup(links, key) do
      [{_, value}] -> value
      [] -> default
    end
  rescue
    ArgumentError -> exit(:shutdown)
  end
end
