defmodule Gallery.CircuitBreaker do
  use Gallery.Program,
    kind: :time,
    bug: "a request that began before a circuit breaker opened answers late, and is taken for its probe"

  defmodule Breaker do
    @behaviour :gen_statem

    def callback_mode, do: :handle_event_function
    def init(same?), do: {:ok, :closed, {1, same?}}

    # What is allowed gets the number of the period in which it was; opening begins another.
    def handle_event({:call, from}, :state, state, _), do: {:keep_state_and_data, {:reply, from, state}}
    def handle_event({:call, from}, :ask, :open, _), do: {:keep_state_and_data, {:reply, from, :refused}}
    def handle_event({:call, from}, :ask, _state, {period, _}), do: {:keep_state_and_data, {:reply, from, period}}

    def handle_event(:cast, {:failed, _period}, _state, {period, same?}) do
      {:next_state, :open, {period + 1, same?}, {:state_timeout, 50, :half_open}}
    end

    def handle_event(:cast, {:succeeded, began}, :half_open, {period, same?}) do
      if same?.(began, period), do: {:next_state, :closed, {period, same?}}, else: :keep_state_and_data
    end

    def handle_event(:cast, {:succeeded, _period}, _state, _), do: :keep_state_and_data
    def handle_event(:state_timeout, :half_open, :open, data), do: {:next_state, :half_open, data}
  end

  def buggy, do: requests(fn _began, _period -> true end)
  def fixed, do: requests(fn began, period -> began == period end)

  # Both requests have begun before either ends.
  defp requests(same?) do
    {:ok, breaker} = :gen_statem.start_link(Breaker, same?, [])
    began = for result <- [:succeeded, :failed], do: {result, :gen_statem.call(breaker, :ask)}
    together(for outcome <- began, do: fn -> :gen_statem.cast(breaker, outcome) end)
    refute :gen_statem.call(breaker, :state) == :closed
  end
end
