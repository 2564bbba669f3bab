defmodule Lockstep.Runtime.Mailbox do
  @moduledoc false
  # A process's mailbox as the program sees it.
  #
  # What is sent to a process arrives in its real mailbox under a number, and counts only when the core says that this
  # number has been delivered. From then on it is here: `seen` are the messages the current `receive` has passed over
  # (latest first), `rest` those it has not looked at. The operations are those that `receive` is compiled to, so
  # selective receive keeps its exact meaning (Erlang Reference Manual, Expressions, "Receive").
  #
  # Outside a run the same operations work on the real mailbox: test modules are instrumented in place and are used
  # there too.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Connections, Context, Monitor, Subscriptions, Turn}

  require Turn

  @mailbox :"$lockstep_mailbox"
  @stash :"$lockstep_stash"
  @empty {[], [], nil}

  # What `receive` takes for a time, in ms.
  defguardp is_timeout(timeout) when is_integer(timeout) and timeout >= 0 and timeout <= 0xFFFFFFFF

  @doc "The next message that the current `receive` has not looked at."
  @spec peek() :: {true, term()} | false
  def peek do
    case state() do
      {_, [message | _], _} -> {true, message}
      _ -> false
    end
  end

  @doc """
  The same in a `receive` that waits for so long.

  One that does not wait at all looks at what there is at one point of the schedule, whatever it has seen before: whether
  a message comes before or after that matters.
  """
  @spec peek(timeout()) :: {true, term()} | false
  def peek(0) do
    case {Context.get(), state()} do
      {ctx, {[], rest, nil}} when ctx != nil -> poll(ctx, rest)
      _ -> :ok
    end

    peek()
  end

  def peek(_timeout), do: peek()

  defp poll(ctx, rest) do
    case Turn.take(Native.receive(ctx.session, ctx.id, :poll)) do
      :timeout ->
        put({[], rest, :polled})
        Turn.note(ctx, fn -> if rest == [], do: {"timeout after 0 ms", 0}, else: {"poll", 0} end)

      items ->
        messages = Enum.map(items, &message(ctx, &1))
        put({[], rest ++ messages, :polled})
        Turn.note(ctx, fn -> {"receive #{Enum.map_join(messages, ", ", &inspect/1)}", messages} end)
    end
  end

  @doc "Passes over the message that `peek/0` showed."
  @spec next() :: :ok
  def next do
    {seen, [message | rest], until} = state()
    put({[message | seen], rest, until})
  end

  @doc "Takes the message that `peek/0` showed; the `receive` is done."
  @spec remove() :: :ok
  def remove do
    {seen, [_ | rest], _} = state()
    took(length(seen), true)
    done(:lists.reverse(seen, rest))
  end

  # Where all interleavings are run, the core has to know which messages a process goes on because of.
  defp took(place, take?) do
    case Context.get() do
      %{explored?: true} = ctx -> :ok = Native.took(ctx.session, ctx.id, place, take?)
      _ -> :ok
    end
  end

  @doc "Waits for more; `true` when the time is up. The time counts from the first wait of this `receive`."
  @spec wait(timeout()) :: boolean()
  def wait(timeout) do
    case Context.get() do
      nil -> wait_outside(timeout)
      ctx -> wait_inside(ctx, timeout)
    end
  end

  # A `receive` without patterns looks at nothing: it passes over all that has come.
  defp pass_over({seen, rest, until}), do: {:lists.reverse(rest, seen), until}

  defp wait_inside(ctx, timeout) do
    case pass_over(state()) do
      {seen, :polled} ->
        done(:lists.reverse(seen))
        true

      {seen, waiting} ->
        wait_for(ctx, timeout, seen, waiting)
    end
  end

  defp wait_for(ctx, timeout, seen, waiting) do
    case Turn.take(Native.receive(ctx.session, ctx.id, mode(timeout, waiting))) do
      :timeout ->
        done(:lists.reverse(seen))
        Turn.note(ctx, fn -> {"timeout after #{timeout} ms", timeout} end)
        true

      items ->
        messages = Enum.map(items, &message(ctx, &1))
        put({seen, messages, true})
        Turn.note(ctx, fn -> {"receive #{Enum.map_join(messages, ", ", &inspect/1)}", messages} end)
        false
    end
  end

  defp mode(:infinity, _waiting), do: :forever
  defp mode(_timeout, true), do: :rest
  defp mode(0, nil), do: :poll
  defp mode(timeout, nil) when is_timeout(timeout), do: timeout * 1000
  defp mode(_timeout, _waiting), do: :erlang.error(:timeout_value)

  # What nobody has taken goes back to the real mailbox when the `receive` is done, so that other code finds it.
  defp wait_outside(timeout) do
    {seen, until} = pass_over(state())
    until = until || outside_deadline(timeout)

    receive do
      message ->
        put({seen, [message], until})
        false
    after
      left(until) ->
        done(:lists.reverse(seen))
        true
    end
  end

  defp outside_deadline(:infinity), do: :infinity

  defp outside_deadline(timeout) when is_timeout(timeout), do: :erlang.monotonic_time(:millisecond) + timeout
  defp outside_deadline(_timeout), do: :erlang.error(:timeout_value)

  defp left(:infinity), do: :infinity
  defp left(until), do: max(until - :erlang.monotonic_time(:millisecond), 0)

  defp done(messages) do
    if Context.inside?(), do: put({[], messages, nil}), else: give_back(messages)
  end

  defp give_back([]), do: put(@empty)

  defp give_back(messages) do
    put(@empty)
    Enum.each(messages ++ drain(), &send(self(), &1))
  end

  defp drain do
    receive do
      message -> [message | drain()]
    after
      0 -> []
    end
  end

  @doc """
  Receives the first message for which `select` answers `{:ok, value}`, for the runtime's own use.

  `:timeout` when there is none within `timeout` virtual ms.
  """
  @spec await((term() -> {:ok, value} | :skip), timeout()) :: value | :timeout when value: term()
  def await(select, timeout) do
    with {true, message} <- peek(), {:ok, value} <- select.(message) do
      remove()
      value
    else
      :skip ->
        next()
        await(select, timeout)

      false ->
        if wait(timeout), do: :timeout, else: await(select, timeout)
    end
  end

  @doc "Waits until there is a message, without beginning a `receive`."
  @spec idle() :: :ok
  def idle do
    if peek() == false, do: wait(:infinity)
    {seen, rest, _until} = state()
    took(0, false)
    done(:lists.reverse(seen, rest))
  end

  @doc "Lets `time` virtual ms pass, for the runtime's own use; what arrives meanwhile stays where it is."
  @spec pause(non_neg_integer()) :: :ok
  def pause(time) do
    :timeout = await(fn _ -> :skip end, time)
    # Reports do not show it.
    Turn.note(Context.get(), fn -> {"pause", time} end)
  end

  @doc "Waits until the clock has moved on by so many ms because of others, or for a message."
  @spec doze(Context.t(), pos_integer()) :: :ok
  def doze(ctx, milliseconds) do
    {seen, rest, _until} = state()

    case Turn.take(Native.receive(ctx.session, ctx.id, {:lazily, milliseconds * 1000})) do
      :timeout ->
        :ok

      items ->
        took(length(seen) + length(rest), false)
        done(:lists.reverse(seen, rest) ++ Enum.map(items, &message(ctx, &1)))
    end
  end

  @doc "Everything that has been delivered, oldest first."
  @spec messages(Context.t()) :: [term()]
  def messages(ctx) do
    {seen, rest, _} = fetched(ctx)
    :lists.reverse(seen, rest)
  end

  @doc "Removes the first message for which `drop?` holds, if there is one."
  @spec drop_first(Context.t(), (term() -> boolean())) :: :ok
  def drop_first(ctx, drop?) do
    {seen, rest, until} = fetched(ctx)

    case Enum.split_while(:lists.reverse(seen, rest), &(not drop?.(&1))) do
      {before, [_dropped | later]} ->
        took(length(before), true)
        put({[], before ++ later, until})

      {_all, []} ->
        :ok
    end
  end

  defp fetched(ctx) do
    {seen, rest, until} = state()
    mailbox = {seen, rest ++ Enum.map(Native.fetch(ctx.session, ctx.id), &message(ctx, &1)), until}
    put(mailbox)
    mailbox
  end

  @doc """
  What the mailbox of another process holds, from its dictionary, its real mailbox, and what the core says has been
  delivered to it since it last looked.
  """
  @spec messages_of(Context.t(), pid(), [term()]) :: [term()]
  def messages_of(ctx, real, delivered) do
    # At once: while it waits for its turn it moves what arrives from one to the other.
    [dictionary: dictionary, messages: messages] = Process.info(real, [:dictionary, :messages])
    stash = dictionary |> List.keyfind(@stash, 0, {@stash, %{}}) |> elem(1)
    arrived = for message <- messages, {id, content} <- List.wrap(arrived(message)), into: stash, do: {id, content}

    if Enum.all?(delivered, &(not is_integer(&1) or is_map_key(arrived, &1))),
      do: messages_in(dictionary) ++ Enum.map(delivered, &shown(ctx, &1, arrived, dictionary)),
      # It is just moving one.
      else: messages_of(ctx, real, delivered)
  end

  defp arrived({:"$lockstep", id, term}), do: {id, {:message, term}}
  defp arrived({:"$lockstep_exit", id, from, reason}), do: {id, {:exit, from, reason}}
  defp arrived({:"$lockstep_down", id, number, reason}), do: {id, {:down, number, reason}}
  defp arrived(_turn), do: []

  defp shown(_ctx, id, arrived, dictionary) when is_integer(id) do
    case arrived[id] do
      {:message, term} -> term
      {:exit, from, reason} -> {:EXIT, from, reason}
      {:down, number, reason} -> Monitor.message(dictionary, number, reason)
    end
  end

  defp shown(ctx, {:parked, id}, _arrived, _dictionary), do: :ets.lookup_element(ctx.store, id, 2)
  defp shown(_ctx, {:down, number, reason}, _arrived, dictionary), do: Monitor.message(dictionary, number, reason)
  defp shown(_ctx, {:not_spawned, id}, arrived, _dictionary), do: not_spawned(arrived[id])
  defp shown(_ctx, {:exit, from, reason}, _arrived, _dictionary), do: {:EXIT, from, reason}
  defp shown(_ctx, other, _arrived, _dictionary), do: news(other)

  @doc "The messages in a process dictionary read from outside, for reports."
  @spec messages_in(keyword()) :: [term()]
  def messages_in(dictionary) do
    {seen, rest, _} = Keyword.get(dictionary, @mailbox, @empty)
    :lists.reverse(seen, rest)
  end

  @doc "Puts aside what has arrived under a number."
  @spec stash(pos_integer(), term()) :: :ok
  def stash(id, content) do
    :erlang.put(@stash, Map.put(stashed(), id, content))
    :ok
  end

  @doc "What was sent to the caller under a number."
  @spec content(pos_integer()) :: {:message, term()} | {:exit, pid(), term()} | {:down, pos_integer(), term()}
  def content(id) do
    case stashed() do
      %{^id => content} = stash ->
        :erlang.put(@stash, Map.delete(stash, id))
        content

      _ ->
        arriving(id)
    end
  end

  # It was sent before this process was told of it, so it is there already.
  defp arriving(id) do
    receive do
      {:"$lockstep", ^id, term} -> {:message, term}
      {:"$lockstep_exit", ^id, from, reason} -> {:exit, from, reason}
      {:"$lockstep_down", ^id, number, reason} -> {:down, number, reason}
    end
  end

  defp stashed do
    case :erlang.get(@stash) do
      :undefined -> %{}
      stash -> stash
    end
  end

  defp message(_ctx, id) when is_integer(id) do
    case content(id) do
      {:message, term} -> term
      {:exit, from, reason} -> {:EXIT, from, reason}
      {:down, number, reason} -> Monitor.fired(number, reason)
    end
  end

  defp message(ctx, {:parked, id}) do
    [{^id, term}] = :ets.take(ctx.store, id)
    term
  end

  defp message(_ctx, {:not_spawned, id}), do: not_spawned(content(id))
  defp message(_ctx, {:down, number, reason}), do: Monitor.fired(number, reason)
  defp message(_ctx, {:exit, from, reason}), do: {:EXIT, from, reason}
  defp message(_ctx, other), do: news(other)

  defp news({:nodedown, node}), do: {:nodedown, node}
  defp news({:connected, number, connected?}), do: Connections.answer(number, connected?)
  defp news(event) when elem(event, 0) == :node, do: Subscriptions.message(event)

  # The answer to a request was made when the process was asked for, and says that it was started.
  defp not_spawned({:message, {tag, ref, :ok, _pid}}), do: {tag, ref, :error, :noconnection}

  defp state do
    case :erlang.get(@mailbox) do
      :undefined -> @empty
      state -> state
    end
  end

  defp put(state) do
    :erlang.put(@mailbox, state)
    :ok
  end
end
