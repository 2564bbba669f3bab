defmodule Lockstep.Runtime.Counters do
  @moduledoc false
  # `:counters`, made of `:atomics` as in the VM.
  #
  # There those with `write_concurrency` are spread over the schedulers, and how much room they take depends on the
  # machine. Here they are atomics, too.

  alias Lockstep.Runtime.{Atomics, Context}

  @kinds [:atomics, :write_concurrency]

  @doc "`:counters.new/2`."
  def new(size, options) do
    if Context.inside?(), do: make(size, options), else: :counters.new(size, options)
  end

  defp make(size, options) do
    # Called for its exceptions, and for its form.
    {kind, _} = Atomics.guarded({:counters, :new, [size, options]}, fn -> :counters.new(size, options) end)
    {kind, Atomics.new(size, signed: true)}
  end

  @doc "`:counters.get/2`."
  def get(ref, index) do
    if Context.inside?(), do: run(:get, [ref, index], &Atomics.get(&1, index)), else: :counters.get(ref, index)
  end

  @doc "`:counters.put/3`."
  def put(ref, index, value) do
    if Context.inside?(),
      do: run(:put, [ref, index, value], &Atomics.put(&1, index, value)),
      else: :counters.put(ref, index, value)
  end

  @doc "`:counters.add/3`."
  def add(ref, index, value) do
    if Context.inside?(),
      do: run(:add, [ref, index, value], &Atomics.add(&1, index, value)),
      else: :counters.add(ref, index, value)
  end

  @doc "`:counters.sub/3`."
  def sub(ref, index, value) do
    if Context.inside?(),
      do: run(:sub, [ref, index, value], &Atomics.add(&1, index, -value)),
      else: :counters.sub(ref, index, value)
  end

  @doc "`:counters.info/1`."
  def info(ref), do: if(Context.inside?(), do: run(:info, [ref], &about(ref, &1)), else: :counters.info(ref))

  defp about({:atomics, _}, atomics), do: Atomics.info(atomics)
  defp about(_ref, atomics), do: Map.take(Atomics.info(atomics), [:size, :memory])

  defp run(function, [ref | _] = args, fun) do
    Atomics.guarded({:counters, function, args}, fn ->
      case ref do
        {kind, atomics} when kind in @kinds -> fun.(atomics)
        _ -> :erlang.error(:badarg)
      end
    end)
  end
end
