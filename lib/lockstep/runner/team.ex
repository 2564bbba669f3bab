defmodule Lockstep.Runner.Team do
  @moduledoc false
  # A sweep by workers, one or several at once.
  #
  # Its lead hands out chunks of seeds and puts together what comes back. It is a process of its own, so that nothing of
  # it shows in the caller's mailbox and links, and it watches the caller: when that dies, everything ends.

  alias Lockstep.Runner.{Account, Hosts, Job, Ledger, Part, Warning, Worker}

  # A chunk should take so many microseconds: handing it out costs little then, and nobody waits long for the last one.
  @chunk 20_000
  # A worker whose runs are short has so many at a time: on a busy machine it takes a while until the lead gets to run.
  @at_a_time 2
  @most 1_000
  # A worker that is at a run when the sweep is over may bring it to its end, or else is killed after so many ms.
  @grace 200

  @enforce_keys [:ledger, :limit, :observe, :given, :caller]
  defstruct @enforce_keys ++ [lost: %{}]

  @doc """
  Runs the seeds of a job as `Lockstep.Runner.Part.run/4` does, and returns the same, with a worker on each of `seats`.

  `observe` is given the account of what has been made so far.
  """
  @spec run(Job.t(), Account.t(), [Hosts.seat(), ...], (Account.t() -> term())) ::
          {Job.t(), Account.t(), Part.finding() | nil}
  def run(job, account, seats, observe) do
    caller = self()
    lead = fn -> exit({:lockstep_team, lead(caller, job, seats, Ledger.new(job.options.seeds, account), observe)}) end
    {pid, monitor} = spawn_monitor(lead)

    receive do
      {:DOWN, ^monitor, :process, ^pid, {:lockstep_team, {account, finding}}} -> {job, account, finding}
      {:DOWN, ^monitor, :process, ^pid, reason} -> exit(reason)
    end
  end

  defp lead(caller, job, seats, ledger, observe) do
    Process.flag(:trap_exit, true)
    limit = :atomics.new(1, signed: false)
    :atomics.put(limit, 1, Ledger.limit(ledger))
    workers = for seat <- seats, do: Worker.start(job, limit, seat)
    monitor = Process.monitor(caller)
    given = Map.new(workers, &{&1, []})
    team = %__MODULE__{ledger: ledger, limit: limit, observe: observe, given: given, caller: monitor}
    team = workers |> Enum.reduce(team, &assign(&2, &1, 1)) |> watch()
    dismiss(team)
    {Ledger.account(team.ledger), with({_place, finding} <- team.ledger.finding, do: finding)}
  end

  defp assign(team, worker, size) do
    case Ledger.take(team.ledger, size) do
      {nil, _ledger} ->
        team

      {chunk, ledger} ->
        Worker.give(worker, chunk)
        %{team | ledger: ledger, given: Map.update!(team.given, worker, &(&1 ++ [chunk]))}
    end
  end

  defp watch(team), do: if(Ledger.complete?(team.ledger), do: team, else: wait(team))

  defp wait(%{caller: monitor} = team) do
    receive do
      {:done, worker, account, finding, micros} ->
        team |> enter(worker, account, finding) |> go_on(worker, account.runs, micros) |> watch()

      {:lost, worker, node} ->
        team |> lose(worker, node) |> watch()

      {:EXIT, worker, reason} ->
        if reason == :normal and is_map_key(team.lost, worker), do: watch(team), else: exit(reason)

      {:DOWN, ^monitor, :process, _caller, _reason} ->
        exit(:shutdown)
    end
  end

  defp enter(team, worker, account, finding) do
    [{place, _seeds} | given] = team.given[worker]
    ledger = Ledger.enter(team.ledger, place, account, finding)
    :atomics.put(team.limit, 1, Ledger.limit(ledger))
    team.observe.(Ledger.account(ledger))
    %{team | ledger: ledger, given: %{team.given | worker => given}}
  end

  # Whoever has nothing to do makes the runs that it was to make.
  defp lose(team, worker, node) do
    if node not in Map.values(team.lost), do: Warning.lost(node)
    {chunks, given} = Map.pop!(team.given, worker)
    ledger = Enum.reduce(chunks, team.ledger, &Ledger.give_back(&2, &1))
    team = %{team | ledger: ledger, given: given, lost: Map.put(team.lost, worker, node)}
    for({worker, []} <- given, _chunk <- chunks, do: worker) |> Enum.reduce(team, &assign(&2, &1, 1))
  end

  # Not more than its share of what is left, so that all have something to do until the end.
  defp go_on(team, worker, runs, micros) do
    fitting = div(runs * @chunk, max(micros, 1))
    share = div(Ledger.left(team.ledger), 2 * @at_a_time * map_size(team.given))
    size = fitting |> min(share) |> min(@most) |> max(1)
    wanted = if(fitting > 0, do: @at_a_time, else: 1) - length(team.given[worker])
    Enum.reduce(List.duplicate(worker, max(wanted, 0)), team, &assign(&2, &1, size))
  end

  defp dismiss(team) do
    :atomics.put(team.limit, 1, 0)
    workers = Map.keys(team.given)
    Enum.each(workers, &Worker.stop/1)
    left = await_ends(workers, System.monotonic_time(:millisecond) + @grace)
    Enum.each(left, &Process.exit(&1, :kill))
    await_ends(left, :infinity)
  end

  defp await_ends([], _deadline), do: []

  defp await_ends(workers, deadline) do
    receive do
      {:EXIT, worker, _reason} -> workers |> List.delete(worker) |> await_ends(deadline)
    after
      if(deadline == :infinity, do: :infinity, else: max(deadline - System.monotonic_time(:millisecond), 0)) ->
        workers
    end
  end
end
