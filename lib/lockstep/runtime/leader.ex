defmodule Lockstep.Runtime.Leader do
  @moduledoc false
  # Group leaders. Each node has one of its own, the process `user`, which speaks the Erlang I/O protocol: what it is
  # given to print belongs to the run, and there is nothing to read.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Call, Context, Mailbox, Message, Names, Output, Services, Turn}

  @doc "`:erlang.group_leader/0`."
  @spec group_leader() :: pid()
  def group_leader do
    case Context.get() do
      nil -> :erlang.group_leader()
      ctx -> resolve(ctx, ctx.id)
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
    Turn.take(Native.look(ctx.session, ctx.id, pid))
    :ets.insert(ctx.store, {{:leader, id}, leader})
    true
  end

  @doc "The group leader of a process, for `process_info/2`."
  @spec of(Context.t(), pid()) :: pid()
  def of(ctx, pid), do: resolve(ctx, Native.id(ctx.session, pid))

  defp resolve(ctx, id) do
    case :ets.lookup(ctx.store, {:leader, id}) do
      [{_, {:of_node, node}}] -> default(ctx, node)
      [{_, leader}] -> leader
      [] -> default(ctx, ctx.node)
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
    :ets.insert_new(parent.store, {{:leader, id}, {:of_node, parent.node}})
    :ok
  end

  @doc "A new process has its parent's group leader, also on another node."
  @spec inherit(Context.t(), non_neg_integer()) :: :ok
  def inherit(parent, id) do
    with [{_, leader}] <- :ets.lookup(parent.store, {:leader, parent.id}) do
      :ets.insert(parent.store, {{:leader, id}, leader})
    end

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
