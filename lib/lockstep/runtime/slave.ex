defmodule Lockstep.Runtime.Slave do
  @moduledoc false
  # `:slave` (stdlib): nodes that live as long as the node, and if linked the process, that has started them.

  alias Lockstep.Runtime.{Booting, Context}

  @type host :: atom() | charlist() | String.t()
  @type result :: {:ok, node()} | {:error, {:already_running, node()}}

  @doc "`:slave.start/1`: the name is that of the caller's node."
  @spec start(host()) :: result()
  def start(host), do: inside(:start, [host], &boot(&1, host, Booting.short(&1.node), "", nil))

  @doc "`:slave.start/2`."
  @spec start(host(), host()) :: result()
  def start(host, name), do: inside(:start, [host, name], &boot(&1, host, name, "", nil))

  @doc "`:slave.start/3`."
  @spec start(host(), host(), charlist()) :: result()
  def start(host, name, args), do: inside(:start, [host, name, args], &boot(&1, host, name, args, nil))

  @doc "`:slave.start_link/1`."
  @spec start_link(host()) :: result()
  def start_link(host), do: inside(:start_link, [host], &boot(&1, host, Booting.short(&1.node), "", &1.pid))

  @doc "`:slave.start_link/2`."
  @spec start_link(host(), host()) :: result()
  def start_link(host, name), do: inside(:start_link, [host, name], &boot(&1, host, name, "", &1.pid))

  @doc "`:slave.start_link/3`."
  @spec start_link(host(), host(), charlist()) :: result()
  def start_link(host, name, args), do: inside(:start_link, [host, name, args], &boot(&1, host, name, args, &1.pid))

  @doc "`:slave.stop/1`."
  @spec stop(node()) :: :ok
  def stop(node), do: inside(:stop, [node], &Booting.halt(&1, node))

  # In a release without the module the VM says so.
  defp inside(function, args, fun) do
    case Context.get() do
      nil -> apply(:slave, function, args)
      ctx -> fun.(ctx)
    end
  end

  defp boot(ctx, host, name, args, link) do
    node = Booting.name(name, host)

    if Booting.start(ctx, node, args |> to_string() |> String.split()) do
      if link, do: Booting.tie(ctx, node, link)
      Booting.depend(ctx, node, ctx.node, :connected)
      {:ok, node}
    else
      {:error, {:already_running, node}}
    end
  end
end
