defmodule Lockstep.Simulation.Outside do
  @moduledoc false
  # Choices that a strategy written in Elixir makes. The warden makes them, so that nothing of it touches a process of the
  # run: not its dictionary, its mailbox or its stack.

  alias Lockstep.{Native, StrategyError}
  alias Lockstep.Runner.Strategies
  alias Lockstep.Strategy.{Event, Profile}

  @type t :: {module(), state :: term()} | nil

  @doc "The strategy at the start of a run; `nil` where the core makes the choices."
  @spec init(map()) :: {:ok, t()} | {:error, StrategyError.t()}
  def init(config) do
    case Strategies.custom(config.strategy) do
      nil ->
        {:ok, nil}

      {module, args} ->
        profile = if binary = config[:profile], do: Profile.read(binary), else: %Profile{}
        with {:ok, state} <- call(module, :init, [config.seed, profile, args]), do: {:ok, {module, state}}
    end
  end

  @doc "Makes the choice that the core waits for."
  @spec choose(Native.session(), t()) :: {:ok, Native.next(), t()} | {:error, StrategyError.t()}
  def choose(session, {module, state}) do
    {offered, max, upcoming} = Native.offer(session)
    events = Enum.map(offered, &event/1)

    with {:ok, {index, state}} <- scheduled(module, events, state),
         {:ok, {length, state}} <- stalled(module, Enum.at(events, index), %{max: max, upcoming: upcoming}, state) do
      {:ok, Native.answer(session, index, length), {module, state}}
    end
  end

  defp event({kind, process, lineage, object, identity, write?}) do
    %Event{kind: kind, process: process, lineage: lineage, object: object, identity: identity, write?: write?}
  end

  defp scheduled(module, events, state) do
    last = length(events) - 1

    case call(module, :schedule, [events, state]) do
      {:ok, {index, _state} = answer} when is_integer(index) and index >= 0 and index <= last -> {:ok, answer}
      {:ok, other} -> wrong(module, {:schedule, 2}, other, "{index, state}, with an index from 0 to #{last}")
      error -> error
    end
  end

  defp stalled(module, %{process: process} = event, %{max: max} = limits, state) do
    if max > 0 and process != nil and function_exported?(module, :stall, 3) do
      case call(module, :stall, [event, limits, state]) do
        {:ok, {length, _state} = answer} when is_integer(length) and length >= 0 and length <= max -> {:ok, answer}
        {:ok, other} -> wrong(module, {:stall, 3}, other, "{microseconds, state}, with a time from 0 to #{max}")
        error -> error
      end
    else
      {:ok, {0, state}}
    end
  end

  defp wrong(module, call, answer, expected) do
    {:error, %StrategyError{module: module, call: call, problem: {:answered, answer, expected}}}
  end

  defp call(module, function, args) do
    {:ok, apply(module, function, args)}
  catch
    kind, reason ->
      trace = Enum.take_while(__STACKTRACE__, fn {module, _, _, _} -> module != __MODULE__ end)
      call = {function, length(args)}
      {:error, %StrategyError{module: module, call: call, problem: {:raised, kind, reason, trace}}}
  end
end
