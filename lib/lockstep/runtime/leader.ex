defmodule Lockstep.Runtime.Leader do
  @moduledoc false
  # Group leaders. Each node has one of its own, the process `user`, which speaks the Erlang I/O protocol: what it is
  # given to print belongs to the run, and there is nothing to read.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Call, Context, Mailbox, Message, Names, Output, Services, Turn}

  require Turn

  @control :nonode@nohost

  @doc "`:erlang.group_leader/0`."
  @spec group_leader() :: pid()
  def group_leader do
    case Context.get() do
      nil -> :erlang.group_leader()
      ctx -> resolve(ctx, ctx.id, ctx.pid)
    end
  end

  @doc "`:erlang.group_leader/2`."
  @spec group_leader(pid(), pid()) :: true
  def group_leader(leader, pid) do
    case Context.get() do
      nil -> :erlang.group_leader(leader, pid)
      ctx -> set(ctx, leader, pid, if(is_pid(leader) and is_pid(pid), do: Native.id(ctx.session, pid)))
    end
  end

  defp set(_ctx, _leader, _pid, id) when not is_integer(id), do: :erlang.error(:badarg)

  defp set(ctx, leader, pid, id) do
    case Native.node_of(ctx.session, pid) do
      node when node == ctx.node -> set_here(ctx, leader, pid, id)
      node when @control in [node, ctx.node] -> set_at_once(ctx, leader, pid, id)
      _ -> send_to(ctx, leader, pid)
    end
  end

  defp set_here(ctx, leader, pid, id) do
    set_at_once(ctx, leader, pid, id)
    Native.alive(ctx.session, pid) or :erlang.error(:badarg)
  end

  defp set_at_once(ctx, leader, pid, id) do
    Turn.take(Native.look(ctx.session, ctx.id, pid))
    Turn.mark(ctx)
    :ets.insert(ctx.store, {{:leader, id}, leader, led(ctx, pid)})
    true
  end

  # It takes effect when the signal arrives.
  defp send_to(ctx, leader, pid) do
    {:parked, number} = Turn.take(Native.lead(ctx.session, ctx.id, pid))
    :ets.insert(ctx.store, {number, leader})
    Turn.note(ctx, fn -> {"group leader of #{inspect(pid)}: #{inspect(leader)}", {pid, leader}} end)
    true
  end

  # Under which number somebody on another node has given it one.
  defp led(ctx, pid), do: Native.led(ctx.session, pid)

  @doc "The group leader of a process, for `process_info/2`."
  @spec of(Context.t(), pid()) :: pid()
  def of(ctx, pid), do: resolve(ctx, Native.id(ctx.session, pid), pid)

  defp resolve(ctx, id, pid) do
    case given(ctx, id, pid) do
      {:of_node, node} -> default(ctx, node)
      nil -> default(ctx, ctx.node)
      leader -> leader
    end
  end

  # What was set here counts if nothing has come from elsewhere since.
  defp given(ctx, id, pid) do
    led = led(ctx, pid)

    case :ets.lookup(ctx.store, {:leader, id}) do
      [{_, leader, ^led}] -> leader
      _ when led != nil -> :ets.lookup_element(ctx.store, led, 2)
      _ -> nil
    end
  end

  defp default(%{node: node}, node), do: Names.whereis(:user)

  defp default(ctx, node) do
    Services.ensure_on(ctx, node, :user)
    Services.pid(ctx, node, :user) || Names.whereis(:user)
  end

  @doc "A process started from another node has its parent's group leader: its output goes home."
  @spec share(Context.t(), non_neg_integer()) :: :ok
  def share(parent, id) do
    :ets.insert_new(parent.store, {{:leader, id}, {:of_node, parent.node}, nil})
    :ok
  end

  @doc "A new process has its parent's group leader, also on another node."
  @spec inherit(Context.t(), non_neg_integer()) :: :ok
  def inherit(parent, id) do
    with leader when leader != nil <- given(parent, parent.id, parent.pid),
         do: :ets.insert(parent.store, {{:leader, id}, leader, nil})

    :ok
  end

  @doc "What a process that prints does until the run ends; `device` is its name."
  @spec loop(atom()) :: no_return()
  def loop(device) do
    {from, reply_as, request} = Mailbox.await(&request/1, :infinity)
    Message.send(from, {:io_reply, reply_as, reply(device, request)})
    loop(device)
  end

  # What is no request is dropped, as the VM's own does.
  defp request({:io_request, from, reply_as, request}), do: {:ok, {from, reply_as, request}}
  defp request(_other), do: :skip

  defp reply(device, {:put_chars, encoding, chars}), do: put(device, encoding, chars)

  defp reply(device, {:put_chars, encoding, module, function, args}) do
    put(device, encoding, Call.apply(module, function, args))
  catch
    _, _ -> {:error, {:put_chars, encoding, {module, function, args}}}
  end

  defp reply(device, {:put_chars, chars}), do: put(device, :latin1, chars)
  defp reply(device, {:requests, requests}), do: Enum.reduce_while(requests, :ok, &next(device, &1, &2))
  defp reply(_device, :getopts), do: [binary: true, encoding: :unicode]
  defp reply(_device, {:setopts, _options}), do: :ok
  defp reply(_device, {:get_geometry, _}), do: {:error, :enotsup}
  defp reply(_device, request) when elem(request, 0) in [:get_chars, :get_line, :get_until, :get_password], do: :eof
  defp reply(_device, _request), do: {:error, :request}

  defp next(device, request, _previous) do
    case reply(device, request) do
      {:error, _} = error -> {:halt, error}
      answer -> {:cont, answer}
    end
  end

  defp put(device, encoding, chars) do
    case :unicode.characters_to_binary(chars, encoding) do
      text when is_binary(text) -> Output.print(Context.get(), device, text)
      _ -> {:error, {:put_chars, encoding, chars}}
    end
  rescue
    ArgumentError -> {:error, {:put_chars, encoding, chars}}
  end
end
