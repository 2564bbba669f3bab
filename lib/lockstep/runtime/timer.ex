defmodule Lockstep.Runtime.Timer do
  @moduledoc false
  # Timers. The core knows when one fires; its message is parked in the run's store under the number the core gave.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Clock, Context, Identity, Message, Nodes, Stranger, Turn, WrongArgument}

  require Turn

  # The VM's clock ends there, and so do the timers; in ms of monotonic time.
  @end_of_time 8_646_911_283_000

  @type destination :: pid() | atom()

  @doc "`:erlang.start_timer/3`."
  @spec start_timer(non_neg_integer(), destination(), term()) :: reference()
  def start_timer(time, destination, message) do
    case Context.get() do
      nil -> :erlang.start_timer(time, destination, message)
      ctx -> start(ctx, {:start_timer, [time, destination, message]}, [], &{:timeout, &1, message})
    end
  end

  @doc "`:erlang.start_timer/4`."
  @spec start_timer(integer(), destination(), term(), keyword()) :: reference()
  def start_timer(time, destination, message, options) do
    case Context.get() do
      nil -> :erlang.start_timer(time, destination, message, options)
      ctx -> start(ctx, {:start_timer, [time, destination, message, options]}, options, &{:timeout, &1, message})
    end
  end

  @doc "`:erlang.send_after/3`."
  @spec send_after(non_neg_integer(), destination(), term()) :: reference()
  def send_after(time, destination, message) do
    case Context.get() do
      nil -> :erlang.send_after(time, destination, message)
      ctx -> start(ctx, {:send_after, [time, destination, message]}, [], fn _ref -> message end)
    end
  end

  @doc "`:erlang.send_after/4`."
  @spec send_after(integer(), destination(), term(), keyword()) :: reference()
  def send_after(time, destination, message, options) do
    case Context.get() do
      nil -> :erlang.send_after(time, destination, message, options)
      ctx -> start(ctx, {:send_after, [time, destination, message, options]}, options, fn _ref -> message end)
    end
  end

  defp start(ctx, {function, [time, destination, message | _] = args}, options, to_message) do
    with {:error, cause} <- check(ctx, time, destination, options), do: WrongArgument.fail(function, args, cause)
    {ref, number} = Identity.new_ref(ctx)
    delay = max(due(ctx, time, options) - Native.now(ctx.session), 0)
    {:parked, id} = Turn.take(announce(ctx, delay, destination, number))
    :ets.insert(ctx.store, {id, to_message.(ref)})
    Turn.note(ctx, fn -> {"#{function} #{time} ms: #{inspect(message)}", {time, message}} end)
    ref
  end

  defp announce(ctx, delay, destination, number) do
    with {:error, :foreign} = refused <- Native.start_timer(ctx.session, ctx.id, delay, destination, number) do
      {nobody, _node} = Stranger.nobody(ctx.node)
      if Stranger.nobody?(destination), do: announce(ctx, delay, nobody, number), else: refused
    end
  end

  defp check(ctx, time, destination, options) do
    cond do
      not flags?(options, [:abs]) -> {:error, :badopt}
      not is_integer(time) or not local?(ctx, destination) -> {:error, :none}
      time < 0 and options[:abs] != true -> {:error, :time}
      due(ctx, time, options) > Clock.at_monotonic_ms(@end_of_time) -> {:error, :time}
      true -> :ok
    end
  end

  # Only processes of the caller's own node can have timers. A pid of no node at all is left to the core to refuse.
  defp local?(ctx, pid) when is_pid(pid), do: not Nodes.elsewhere?(ctx, pid)
  defp local?(_ctx, name), do: is_atom(name)

  # When it fires, in microseconds since the start of the run.
  defp due(ctx, time, options) do
    if options[:abs] == true, do: Clock.at_monotonic_ms(time), else: Native.now(ctx.session) + time * 1000
  end

  @doc "`:erlang.cancel_timer/1`."
  @spec cancel_timer(reference()) :: non_neg_integer() | false
  def cancel_timer(ref) do
    case Context.get() do
      nil -> :erlang.cancel_timer(ref)
      ctx -> ask(ctx, {:cancel_timer, [ref]}, [], [])
    end
  end

  @doc "`:erlang.cancel_timer/2`."
  @spec cancel_timer(reference(), keyword()) :: non_neg_integer() | false | :ok
  def cancel_timer(ref, options) do
    case Context.get() do
      nil -> :erlang.cancel_timer(ref, options)
      ctx -> ask(ctx, {:cancel_timer, [ref, options]}, options, [:async, :info])
    end
  end

  @doc "`:erlang.read_timer/1`."
  @spec read_timer(reference()) :: non_neg_integer() | false
  def read_timer(ref) do
    case Context.get() do
      nil -> :erlang.read_timer(ref)
      ctx -> ask(ctx, {:read_timer, [ref]}, [], [])
    end
  end

  @doc "`:erlang.read_timer/2`."
  @spec read_timer(reference(), keyword()) :: non_neg_integer() | false | :ok
  def read_timer(ref, options) do
    case Context.get() do
      nil -> :erlang.read_timer(ref, options)
      ctx -> ask(ctx, {:read_timer, [ref, options]}, options, [:async])
    end
  end

  defp ask(ctx, {function, [ref | _] = args}, options, allowed) do
    unless is_reference(ref) and flags?(options, allowed), do: WrongArgument.fail(function, args, :none)
    # Of timers of other nodes nobody knows here.
    mine? = Nodes.node(ref) == Nodes.node()
    left = if mine?, do: ctx |> left(function, Identity.number(ref)) |> milliseconds(), else: false
    Turn.note(ctx, fn -> {"#{function}: #{left}", left} end)
    answer(ctx, function, ref, left, Map.new(options))
  end

  defp answer(_ctx, _function, _ref, _left, %{info: false}), do: :ok

  defp answer(ctx, function, ref, left, %{async: true}) do
    Message.send(ctx.pid, {function, ref, left})
    :ok
  end

  defp answer(_ctx, _function, _ref, left, _options), do: left

  defp left(ctx, :cancel_timer, number) do
    with {left, id} <- Turn.take(Native.cancel_timer(ctx.session, ctx.id, number)) do
      :ets.delete(ctx.store, id)
      left
    end
  end

  defp left(ctx, :read_timer, number) do
    with {left, _id} <- Turn.take(Native.read_timer(ctx.session, ctx.id, number)), do: left
  end

  defp milliseconds(false), do: false
  defp milliseconds(micros), do: div(micros + 999, 1000)

  defp flags?(options, allowed) do
    is_list(options) and Enum.all?(options, &match?({key, value} when is_atom(key) and is_boolean(value), &1)) and
      Enum.all?(options, fn {key, _} -> key in allowed end)
  end
end
