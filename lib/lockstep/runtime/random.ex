defmodule Lockstep.Runtime.Random do
  @moduledoc false
  # Where programs take randomness from the VM, they get it from the run's seed.
  #
  # A process that has not seeded `:rand` is given a state when it first needs one, as on the VM, but of the run's numbers.

  alias Lockstep.Native
  alias Lockstep.Runtime.Context

  @state :rand_seed

  # The functions of `:rand` that go on from the state of the process.
  @continuing [bytes: 1, jump: 0, normal: 0, normal: 2, uniform: 0, uniform: 1, uniform_real: 0]

  @doc "`:rand.seed/1`: an algorithm alone means a seed of the VM's choosing."
  @spec seed(:rand.builtin_alg() | :default | :rand.state() | :rand.export_state()) :: :rand.state()
  def seed(algorithm_or_state) do
    case Context.get() do
      ctx when ctx != nil and is_atom(algorithm_or_state) -> :rand.seed(algorithm_or_state, draw(ctx))
      _ -> :rand.seed(algorithm_or_state)
    end
  end

  @doc "`:rand.seed_s/1`."
  @spec seed_s(:rand.builtin_alg() | :default | :rand.state() | :rand.export_state()) :: :rand.state()
  def seed_s(algorithm_or_state) do
    case Context.get() do
      ctx when ctx != nil and is_atom(algorithm_or_state) -> :rand.seed_s(algorithm_or_state, draw(ctx))
      _ -> :rand.seed_s(algorithm_or_state)
    end
  end

  @doc "`:crypto.strong_rand_bytes/1`."
  @spec strong_rand_bytes(non_neg_integer()) :: binary()
  def strong_rand_bytes(count) do
    case Context.get() do
      ctx when ctx != nil and is_integer(count) and count >= 0 -> bytes(ctx, count)
      _ -> :crypto.strong_rand_bytes(count)
    end
  end

  @doc "`:crypto.rand_uniform/2`: at least the first, less than the second."
  @spec rand_uniform(integer(), integer()) :: integer()
  def rand_uniform(from, to) do
    case Context.get() do
      ctx when ctx != nil and is_integer(from) and is_integer(to) and from < to -> from + below(ctx, to - from)
      # Applied, because a plain call of it is a compiler warning.
      _ -> apply(:crypto, :rand_uniform, [from, to])
    end
  end

  @doc "`:crypto.rand_seed/0`: a state for `:rand`; also kept for the calling process."
  @spec rand_seed() :: :rand.state()
  def rand_seed do
    case Context.get() do
      nil -> :crypto.rand_seed()
      ctx -> :rand.seed(:exsss, draw(ctx))
    end
  end

  @doc "`:crypto.rand_seed_s/0`."
  @spec rand_seed_s() :: :rand.state()
  def rand_seed_s do
    case Context.get() do
      nil -> :crypto.rand_seed_s()
      ctx -> :rand.seed_s(:exsss, draw(ctx))
    end
  end

  for {name, arity} <- @continuing do
    args = Macro.generate_arguments(arity, __MODULE__)

    @doc "`:rand.#{name}/#{arity}`."
    def unquote(name)(unquote_splicing(args)) do
      if :erlang.get(@state) == :undefined, do: begin(Context.get())
      :rand.unquote(name)(unquote_splicing(args))
    end
  end

  defp begin(nil), do: :ok
  defp begin(ctx), do: :rand.seed(:exsss, draw(ctx))

  @doc "`:rand.mwc59_seed/0`: a state of the VM's choosing."
  @spec mwc59_seed() :: pos_integer()
  def mwc59_seed do
    case Context.get() do
      nil -> :rand.mwc59_seed()
      ctx -> :rand.mwc59_seed(rem(draw(ctx), 0x400000000000000))
    end
  end

  defp below(ctx, range) do
    {number, _state} = :rand.uniform_s(range, :rand.seed_s(:exsss, draw(ctx)))
    number - 1
  end

  defp bytes(ctx, count) do
    {bytes, _state} = :rand.bytes_s(count, :rand.seed_s(:exsss, draw(ctx)))
    bytes
  end

  defp draw(ctx), do: Native.random(ctx.session)
end
