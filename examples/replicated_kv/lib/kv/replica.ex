defmodule KV.Replica do
  @moduledoc """
  One replica of the store: elects a leader, and copies its data.

  Time is divided into terms, each with at most one leader. A replica that hears of a later term joins it. One that
  hears from no leader for a while opens a new term and asks for votes; a replica votes once a term, and only for
  those whose data is not older than its own. The leader sends its whole data, which has a version (its term and a
  counter), with every write and with every beat, and acknowledges a write when a quorum holds that version.
  """

  use GenServer

  @beat 100
  @election_timeout 300..450
  @silence 250

  defstruct [
    :members,
    :quorum,
    :election,
    :voted_for,
    role: :follower,
    term: 0,
    votes: [],
    heard: %{},
    version: {0, 0},
    data: %{},
    waiting: []
  ]

  @spec start_link(keyword()) :: GenServer.on_start()
  def start_link(opts), do: GenServer.start_link(__MODULE__, opts, name: __MODULE__)

  @impl true
  def init(opts) do
    Process.send_after(self(), :beat, @beat)
    {:ok, expect_leader(%__MODULE__{members: opts[:members], quorum: opts[:quorum]})}
  end

  @impl true
  def handle_call({:put, key, value}, from, %{role: :leader} = state) do
    {term, count} = state.version
    version = {term, count + 1}
    waiting = [{version, from, [node()]} | state.waiting]
    state = %{state | version: version, data: Map.put(state.data, key, value), waiting: waiting}
    {:noreply, state |> replicate() |> acknowledge()}
  end

  def handle_call({:put, _key, _value}, _from, state), do: {:reply, {:error, :not_leader}, state}
  def handle_call(:data, _from, state), do: {:reply, state.data, state}

  @impl true
  def handle_info(:beat, %{role: :leader} = state) do
    Process.send_after(self(), :beat, @beat)
    {:noreply, state |> replicate() |> acknowledge()}
  end

  def handle_info(:beat, state) do
    Process.send_after(self(), :beat, @beat)
    {:noreply, broadcast(state, :hello)}
  end

  def handle_info(:election, %{role: :leader} = state), do: {:noreply, state}
  def handle_info(:election, state), do: {:noreply, state |> stand_for_election() |> count_votes()}

  @impl true
  def handle_cast({sender, term, message}, state) do
    state = %{state | heard: Map.put(state.heard, sender, now())}

    cond do
      term < state.term -> {:noreply, state}
      term > state.term -> {:noreply, handle_message(message, sender, join_term(state, term))}
      true -> {:noreply, handle_message(message, sender, state)}
    end
  end

  defp handle_message(:hello, _sender, state), do: state

  defp handle_message({:vote_for_me, version}, candidate, state) do
    if state.voted_for in [nil, candidate] and version >= state.version do
      state |> tell(candidate, :vote) |> Map.put(:voted_for, candidate) |> expect_leader()
    else
      state
    end
  end

  defp handle_message(:vote, voter, %{role: :candidate} = state) do
    count_votes(%{state | votes: Enum.uniq([voter | state.votes])})
  end

  defp handle_message(:vote, _voter, state), do: state

  defp handle_message({:replicate, version, data}, leader, state) do
    state = if version > state.version, do: %{state | version: version, data: data}, else: state
    state |> tell(leader, {:stored, version}) |> follow() |> expect_leader()
  end

  defp handle_message({:stored, version}, replica, state) do
    waiting =
      for {waiting_for, from, stored} <- state.waiting do
        stored = if waiting_for <= version, do: Enum.uniq([replica | stored]), else: stored
        {waiting_for, from, stored}
      end

    acknowledge(%{state | waiting: waiting})
  end

  ## Elections

  defp stand_for_election(state) do
    %{state | role: :candidate, term: state.term + 1, voted_for: node(), votes: [node()]}
    |> broadcast({:vote_for_me, state.version})
    |> expect_leader()
  end

  defp count_votes(state) do
    if length(state.votes) >= quorum(state), do: lead(state), else: state
  end

  defp lead(state), do: replicate(%{state | role: :leader, version: {state.term, 0}})

  defp join_term(state, term), do: follow(%{state | term: term, voted_for: nil, votes: []})

  # Whether the writes that still wait will last is up to the next leader.
  defp follow(%{role: :leader} = state) do
    for {_version, from, _stored} <- state.waiting, do: GenServer.reply(from, {:error, :not_leader})
    expect_leader(%{state | role: :follower, waiting: []})
  end

  defp follow(state), do: %{state | role: :follower}

  defp expect_leader(state) do
    if state.election, do: Process.cancel_timer(state.election)
    %{state | election: Process.send_after(self(), :election, Enum.random(@election_timeout))}
  end

  ## Writes

  defp replicate(state), do: broadcast(state, {:replicate, state.version, state.data})

  defp acknowledge(state) do
    quorum = quorum(state)
    {done, waiting} = Enum.split_with(state.waiting, fn {_version, _from, stored} -> length(stored) >= quorum end)
    for {_version, from, _stored} <- done, do: GenServer.reply(from, :ok)
    %{state | waiting: waiting}
  end

  ## Other replicas

  defp quorum(state), do: state.quorum.size(state.members, reachable(state))

  defp reachable(state) do
    silent_since = now() - @silence
    [node() | for({peer, time} <- state.heard, time > silent_since, do: peer)]
  end

  defp broadcast(state, message) do
    for member <- state.members, member != node(), do: tell(state, member, message)
    state
  end

  defp tell(state, member, message) do
    GenServer.cast({__MODULE__, member}, {node(), state.term, message})
    state
  end

  defp now, do: System.monotonic_time(:millisecond)
end
