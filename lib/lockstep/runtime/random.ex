defmodule Lockstep.Runtime.Random do
  @moduledoc false
  # Where programs take randomness from the VM, they get it from the run's seed.
  #
  # Most of `:rand` needs nothing: every process of a run starts with a seeded state in its dictionary.

  alias Lockstep.Native
  alias Lockstep.Runtime.Context

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

  defp bytes(ctx, count) do
    {bytes, _state} = :rand.bytes_s(count, :rand.seed_s(:exsss, draw(ctx)))
    bytes
  end

  defp draw(ctx), do: Native.random(ctx.session)
end
