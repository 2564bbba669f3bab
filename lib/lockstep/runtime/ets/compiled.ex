defmodule Lockstep.Runtime.Ets.Compiled do
  @moduledoc false
  # Compiled match specifications: references of the run's own, of use on the node that made them.

  alias Lockstep.Runtime.{Context, Identity}
  alias Lockstep.Runtime.Ets.Operation

  @doc "`:ets.match_spec_compile/1`."
  def match_spec_compile(spec) do
    case Context.get() do
      nil -> :ets.match_spec_compile(spec)
      ctx -> compile(ctx, spec)
    end
  end

  defp compile(ctx, spec) do
    real = Operation.guarded({:match_spec_compile, [spec]}, fn -> :ets.match_spec_compile(spec) end)
    {ref, _} = Identity.new_ref(ctx)
    :ets.insert(ctx.store, {{:match_spec, ctx.node, ref}, real})
    ref
  end

  @doc "`:ets.is_compiled_ms/1`."
  def is_compiled_ms(term), do: :ets.is_compiled_ms(real(term))

  @doc "`:ets.match_spec_run_r/3`."
  def match_spec_run_r(list, compiled, acc) do
    case Context.get() do
      nil ->
        :ets.match_spec_run_r(list, compiled, acc)

      _ ->
        Operation.guarded({:match_spec_run_r, [list, compiled, acc]}, fn ->
          :ets.match_spec_run_r(list, real(compiled), acc)
        end)
    end
  end

  defp real(term) do
    ctx = Context.get()

    case ctx && :ets.lookup(ctx.store, {:match_spec, ctx.node, term}) do
      [{_, real}] -> real
      _ -> term
    end
  end
end
