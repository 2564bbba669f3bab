defmodule Lockstep.Runtime.Timer do
  @moduledoc false
  # Timers. The core knows when one fires; its message is parked in the run's store under the number the core gave.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Clock, Context, Identity, Message, Turn}

  @max_time 4_294_967_295

  @type destination :: pid() | atom()

  @doc "`:erlang.start_timer/3`."
  @spec start_timer(non_neg_integer(), destination(), term()) :: reference()
  def start_timer(time, destination, message), do: start_timer(time, destination, message, [])

  @doc "`:erlang.start_timer/4`."
  @spec start_timer(integer(), destination(), term(), keyword()) :: reference()
  def start_timer(time, destination, message, options) do
    case Context.get() do
      nil -> :erlang.start_timer(time, destination, message, options)
      ctx -> start(ctx, time, destination, options, &{:timeout, &1, message}, {:start_timer, message})
    end
  end

  @doc "`:erlang.send_after/3`."
  @spec send_after(non_neg_integer(), destination(), term()) :: reference()
  def send_after(time, destination, message), do: send_after(time, destination, message, [])

  @doc "`:erlang.send_after/4`."
  @spec send_after(integer(), destination(), term(), keyword()) :: reference()
  def send_after(time, destination, message, options) do
    case Context.get() do
      nil -> :erlang.send_after(time, destination, message, options)
      ctx -> start(ctx, time, destination, options, fn _ref -> message end, {:send_after, message})
    end
  end

  defp start(ctx, time, destination, options, to_message, {function, message}) do
    unless valid?(ctx, time, destination, options) do
      badarg(function, [time, destination, message, options])
    end

    {ref, number} = Identity.new_ref(ctx)
    delay = delay(ctx, time, options)
    {:parked, id} = Turn.take(Native.start_timer(ctx.session, ctx.id, delay, destination, number))
    :ets.insert(ctx.store, {id, to_message.(ref)})
    Turn.note(ctx, fn -> {"#{function} #{time} ms: #{inspect(message)}", {time, message}} end)
    ref
  end

  defp valid?(ctx, time, destination, options) do
    is_integer(time) and flags?(options, [:abs]) and (options[:abs] == true or time in 0..@max_time) and
      local?(ctx, destination)
  end

  # Only processes of the caller's own node can have timers. A pid of no node at all is left to the core to refuse.
  defp local?(ctx, pid) when is_pid(pid), do: Native.node_of(ctx.session, pid) in [ctx.node, nil]
  defp local?(_ctx, name), do: is_atom(name)

  defp delay(ctx, time, options) do
    if options[:abs] == true do
      max(Clock.at_monotonic_ms(time) - Native.now(ctx.session), 0)
    else
      time * 1000
    end
  end

  @doc "`:erlang.cancel_timer/1`."
  @spec cancel_timer(reference()) :: non_neg_integer() | false
  def cancel_timer(ref), do: cancel_timer(ref, [])

  @doc "`:erlang.cancel_timer/2`."
  @spec cancel_timer(reference(), keyword()) :: non_neg_integer() | false | :ok
  def cancel_timer(ref, options) do
    case Context.get() do
      nil -> :erlang.cancel_timer(ref, options)
      ctx -> ask(ctx, :cancel_timer, ref, options, [:async, :info])
    end
  end

  @doc "`:erlang.read_timer/1`."
  @spec read_timer(reference()) :: non_neg_integer() | false
  def read_timer(ref), do: read_timer(ref, [])

  @doc "`:erlang.read_timer/2`."
  @spec read_timer(reference(), keyword()) :: non_neg_integer() | false | :ok
  def read_timer(ref, options) do
    case Context.get() do
      nil -> :erlang.read_timer(ref, options)
      ctx -> ask(ctx, :read_timer, ref, options, [:async])
    end
  end

  defp ask(ctx, function, ref, options, allowed) do
    unless is_reference(ref) and flags?(options, allowed), do: badarg(function, [ref, options])
    left = ctx |> left(function, Identity.number(ref)) |> milliseconds()
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

  defp badarg(function, args) do
    {:current_stacktrace, [_info, _badarg | stack]} = Process.info(self(), :current_stacktrace)
    :erlang.raise(:error, :badarg, [{:erlang, function, args, []} | stack])
  end
end
