defmodule Lockstep.Runtime.Mailbox do
  @moduledoc false
  # A process's mailbox as the program sees it.
  #
  # What is sent to a process arrives in its real mailbox under a number, and counts only when the core says that this
  # number has been delivered. From then on it is here, in the process dictionary: a list of messages, or, if some of them
  # are older than a certain reference of the process, `{:since, count, older, list}`, where `count` is the reference's
  # place among those that the process has made, and `older` has the lists of what came before, latest first.
  #
  # A `receive` takes the list and goes through it (Erlang Reference Manual, Expressions, "Receive"), in the loop that
  # it is compiled to (see `Lockstep.Instrument.Transform.Receives`): `rest` are the messages that it has not looked at,
  # `seen` those it has passed over (latest first), and `scan` is what else there is to know,
  # `{context, until, kept, older}`. `kept` says what the dictionary has of `rest` and `seen`: `:all`, `:some` or `:none`.
  #
  # Outside a run the same operations work on the real mailbox: test modules are instrumented in place and are used
  # there too.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Connections, Context, Identity, Monitor, Subscriptions, Turn}

  require Turn

  @mailbox :"$lockstep_mailbox"
  @stash :"$lockstep_stash"
  @held :"$lockstep_held"

  @typep rest :: [term()]
  @typep seen :: [term()]
  @typep older :: [] | {count :: pos_integer(), [[term()]]}
  @typep scan :: {Context.t() | nil, until :: nil | true | :polled | timeout(), :all | :some | :none, older()}

  # What `receive` takes for a time, in ms.
  defguardp is_timeout(timeout) when is_integer(timeout) and timeout >= 0 and timeout <= 0xFFFFFFFF

  ## What a receive is compiled to

  @doc "Begins a `receive`."
  @spec start() :: {rest(), scan()}
  def start do
    case :erlang.get(@mailbox) do
      [_ | _] = messages -> {messages, {Context.get(), nil, :all, []}}
      {:since, _, _, _} = mailbox -> {all(mailbox), {Context.get(), nil, :all, []}}
      _none -> {[], {Context.get(), nil, :none, []}}
    end
  end

  @doc """
  Begins a `receive` that waits for so long, for messages that hold `key`.

  One that does not wait at all looks at what there is at one point of the schedule, whatever it has seen before: whether
  a message comes before or after that matters. A message that is older than a reference does not hold it, so a `receive`
  for a reference does not look at those (as on the VM: Erlang Efficiency Guide, Processes, "Receiving messages").
  """
  @spec start(timeout(), key :: term()) :: {rest(), scan()}
  def start(timeout, key) do
    {rest, scan} = start_for(key)
    if timeout == 0 and elem(scan, 0) != nil, do: poll(rest, scan), else: {rest, scan}
  end

  defp start_for(key) when is_reference(key) do
    ctx = Context.get()

    with {:since, count, older, messages} <- :erlang.get(@mailbox),
         true <- ctx != nil and Identity.count(ctx, key) >= count do
      kept = if messages == [], do: :none, else: :all
      {messages, {ctx, nil, kept, {count, older}}}
    else
      _any -> start()
    end
  end

  defp start_for(_key), do: start()

  defp poll(rest, {ctx, nil, kept, older}) do
    case Turn.take(Native.receive(ctx.session, ctx.id, :poll)) do
      :timeout ->
        Turn.note(ctx, fn -> if rest == [], do: {"timeout after 0 ms", 0}, else: {"poll", 0} end)
        {rest, {ctx, :polled, kept, older}}

      items ->
        messages = contents(ctx, items)
        note(ctx, messages)
        {rest ++ messages, {ctx, :polled, some(kept), older}}
    end
  end

  @doc "Takes the message at the front of `rest`; the `receive` is done."
  @spec remove(rest(), seen(), scan()) :: :ok
  def remove([_taken | rest], seen, {nil, _until, _kept, _older}), do: give_back(back(seen, rest))

  def remove([_taken | rest], seen, {ctx, _until, kept, older}) do
    if ctx.explored?, do: took(ctx, seen, older)
    left = back(seen, rest)
    if left == [] and kept == :none, do: :ok, else: put(older, left)
  end

  # Where all interleavings are run, the core has to know which messages a process goes on because of.
  defp took(ctx, seen, older), do: :ok = Native.took(ctx.session, ctx.id, length(seen) + length(all(older, [])), true)

  @doc """
  Waits for more, and says whether the time is up. The time counts from the first wait of this `receive`.

  A `receive` without patterns looks at nothing: it passes over all that has come.
  """
  @spec wait(timeout(), rest(), seen(), scan()) :: {boolean(), rest(), seen(), scan()}
  def wait(timeout, rest, seen, {nil, until, _kept, _older}), do: wait_outside(timeout, back(rest, seen), until)

  def wait(timeout, rest, seen, {ctx, until, kept, older}) do
    seen = back(rest, seen)
    kept = keep(seen, kept, older)

    if until == :polled,
      do: {true, [], seen, {ctx, until, kept, older}},
      else: wait_inside(timeout, seen, {ctx, until, kept, older})
  end

  defp wait_inside(timeout, seen, {ctx, until, kept, older} = scan) do
    case Turn.take(Native.receive(ctx.session, ctx.id, mode(timeout, until))) do
      :timeout ->
        Turn.note(ctx, fn -> {"timeout after #{timeout} ms", timeout} end)
        {true, [], seen, scan}

      items ->
        messages = contents(ctx, items)
        note(ctx, messages)
        {false, messages, seen, {ctx, true, some(kept), older}}
    end
  end

  defp note(ctx, messages) do
    Turn.note(ctx, fn -> {"receive #{Enum.map_join(messages, ", ", &inspect/1)}", messages} end)
  end

  defp mode(:infinity, _waiting), do: :forever
  defp mode(_timeout, true), do: :rest
  defp mode(0, nil), do: :poll
  defp mode(timeout, nil) when is_timeout(timeout), do: timeout * 1000
  defp mode(_timeout, _waiting), do: :erlang.error(:timeout_value)

  # The dictionary has them all before others may look.
  defp keep([], kept, _older), do: kept
  defp keep(_seen, :all, _older), do: :all

  defp keep(seen, _kept, older) do
    put(older, :lists.reverse(seen))
    :all
  end

  defp some(:none), do: :none
  defp some(_kept), do: :some

  defp back([], messages), do: messages
  defp back([message], messages), do: [message | messages]
  defp back(seen, messages), do: :lists.reverse(seen, messages)

  # What nobody has taken goes back to the real mailbox when the `receive` is done, so that other code finds it.
  defp wait_outside(timeout, seen, until) do
    until = until || outside_deadline(timeout)

    receive do
      message -> {false, [message], seen, {nil, until, :none, []}}
    after
      left(until) ->
        give_back(:lists.reverse(seen))
        {true, [], [], {nil, until, :none, []}}
    end
  end

  defp outside_deadline(:infinity), do: :infinity

  defp outside_deadline(timeout) when is_timeout(timeout), do: :erlang.monotonic_time(:millisecond) + timeout
  defp outside_deadline(_timeout), do: :erlang.error(:timeout_value)

  defp left(:infinity), do: :infinity
  defp left(until), do: max(until - :erlang.monotonic_time(:millisecond), 0)

  defp give_back([]), do: :ok
  defp give_back(messages), do: Enum.each(messages ++ drain(), &send(self(), &1))

  defp drain do
    receive do
      message -> [message | drain()]
    after
      0 -> []
    end
  end

  ## For the runtime's own use

  @doc """
  Receives the first message for which `select` answers `{:ok, value}`.

  `:timeout` when there is none within `timeout` virtual ms.
  """
  @spec await((term() -> {:ok, value} | :skip), timeout()) :: value | :timeout when value: term()
  def await(select, timeout) do
    {rest, scan} = start()
    await(select, timeout, rest, [], scan)
  end

  defp await(select, timeout, [message | later] = rest, seen, scan) do
    case select.(message) do
      {:ok, value} ->
        remove(rest, seen, scan)
        value

      :skip ->
        await(select, timeout, later, [message | seen], scan)
    end
  end

  defp await(select, timeout, [], seen, scan) do
    case wait(timeout, [], seen, scan) do
      {true, _rest, _seen, _scan} -> :timeout
      {false, rest, seen, scan} -> await(select, timeout, rest, seen, scan)
    end
  end

  @doc "Waits until there is a message, without beginning a `receive`."
  @spec idle() :: :ok
  def idle do
    {rest, scan} = start()
    if rest == [], do: idle(scan), else: untaken(elem(scan, 0))
  end

  defp idle(scan) do
    {false, messages, [], {ctx, _until, _kept, _older}} = wait(:infinity, [], [], scan)
    untaken(ctx)
    put([], messages)
  end

  defp untaken(%{explored?: true} = ctx), do: :ok = Native.took(ctx.session, ctx.id, 0, false)
  defp untaken(_ctx), do: :ok

  @doc "Lets `time` virtual ms pass; what arrives meanwhile stays where it is."
  @spec pause(non_neg_integer()) :: :ok
  def pause(time) do
    :timeout = await(fn _ -> :skip end, time)
    # Reports do not show it.
    Turn.note(Context.get(), fn -> {"pause", time} end)
  end

  @doc "Waits until the clock has moved on by so many ms because of others, or for a message."
  @spec doze(Context.t(), pos_integer()) :: :ok
  def doze(ctx, milliseconds) do
    case Turn.take(Native.receive(ctx.session, ctx.id, {:lazily, milliseconds * 1000})) do
      :timeout ->
        :ok

      items ->
        before = all(:erlang.get(@mailbox))
        if ctx.explored?, do: :ok = Native.took(ctx.session, ctx.id, length(before), false)
        put([], before ++ contents(ctx, items))
    end
  end

  @doc "Everything that has been delivered, oldest first."
  @spec messages(Context.t()) :: [term()]
  def messages(ctx) do
    before = all(:erlang.get(@mailbox))

    case Native.fetch(ctx.session, ctx.id) do
      [] ->
        before

      items ->
        messages = before ++ contents(ctx, items)
        put([], messages)
        messages
    end
  end

  @doc "Removes the first message for which `drop?` holds, if there is one."
  @spec drop_first(Context.t(), (term() -> boolean())) :: :ok
  def drop_first(ctx, drop?) do
    case Enum.split_while(messages(ctx), &(not drop?.(&1))) do
      {before, [_dropped | later]} ->
        if ctx.explored?, do: took(ctx, before, [])
        put([], before ++ later)

      {_all, []} ->
        :ok
    end
  end

  @doc "The caller has made its `count`th reference: what has been delivered is older."
  @spec made_reference(pos_integer()) :: :ok
  def made_reference(count) do
    case :erlang.get(@mailbox) do
      [_ | _] = messages -> put({count, [messages]}, [])
      {:since, _, older, [_ | _] = messages} -> put({count, [messages | older]}, [])
      _nothing_new -> :ok
    end
  end

  defp put([], messages) do
    :erlang.put(@mailbox, messages)
    :ok
  end

  defp put({count, older}, messages) do
    :erlang.put(@mailbox, {:since, count, older, messages})
    :ok
  end

  defp all(:undefined), do: []
  defp all({:since, count, older, messages}), do: all({count, older}, messages)
  defp all(messages), do: messages

  defp all([], messages), do: messages
  defp all({_count, older}, messages), do: Enum.reduce(older, messages, &(&1 ++ &2))

  @doc """
  What the mailbox of another process holds, from its dictionary, its real mailbox, and what the core says has been
  delivered to it since it last looked.
  """
  @spec messages_of(Context.t(), pid(), [term()]) :: [term()]
  def messages_of(ctx, real, delivered) do
    # At once: while it waits for its turn it moves what arrives from one to the other.
    [dictionary: dictionary, messages: messages] = Process.info(real, [:dictionary, :messages])
    stash = Keyword.get(dictionary, @stash, %{})
    held = dictionary |> Keyword.take([@held]) |> Keyword.values()
    arrived = for {id, content} <- held ++ Enum.flat_map(messages, &arrived/1), into: stash, do: {id, content}

    if Enum.all?(delivered, &(not is_integer(&1) or is_map_key(arrived, &1))),
      do: messages_in(dictionary) ++ Enum.map(delivered, &shown(ctx, &1, arrived, dictionary)),
      # It is just moving one.
      else: messages_of(ctx, real, delivered)
  end

  defp arrived({:"$lockstep", id, term}), do: [{id, {:message, term}}]
  defp arrived({:"$lockstep_exit", id, from, reason}), do: [{id, {:exit, from, reason}}]
  defp arrived({:"$lockstep_down", id, number, reason}), do: [{id, {:down, number, reason}}]
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
    dictionary |> Keyword.get(@mailbox, []) |> all()
  end

  @doc "Keeps what has arrived under a number where others can see it, until something else is."
  @spec hold(pos_integer(), term()) :: :ok
  def hold(id, content) do
    :erlang.put(@held, {id, content})
    :ok
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

  # Nearly always it is one.
  defp contents(ctx, [item]), do: [message(ctx, item)]
  defp contents(ctx, items), do: Enum.map(items, &message(ctx, &1))

  defp message(_ctx, {:here, {:message, term}}), do: term
  defp message(_ctx, {:here, content}), do: message(content)
  defp message(_ctx, id) when is_integer(id), do: message(content(id))

  defp message(ctx, {:parked, id}) do
    [{^id, term}] = :ets.take(ctx.store, id)
    term
  end

  defp message(_ctx, {:not_spawned, id}), do: not_spawned(content(id))
  defp message(_ctx, {:down, number, reason}), do: Monitor.fired(number, reason)
  defp message(_ctx, {:exit, from, reason}), do: {:EXIT, from, reason}
  defp message(_ctx, other), do: news(other)

  defp message({:message, term}), do: term
  defp message({:exit, from, reason}), do: {:EXIT, from, reason}
  defp message({:down, number, reason}), do: Monitor.fired(number, reason)

  defp news({:nodedown, node}), do: {:nodedown, node}
  defp news({:connected, number, connected?}), do: Connections.answer(number, connected?)
  defp news(event) when elem(event, 0) == :node, do: Subscriptions.message(event)

  # The answer to a request was made when the process was asked for, and says that it was started.
  defp not_spawned({:message, {tag, ref, :ok, _pid}}), do: {tag, ref, :error, :noconnection}
end
