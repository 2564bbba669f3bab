defmodule Conformance.AtomicsTest do
  # Atomics and counters.
  use Lockstep.Support.Conformance

  @max 0x7FFF_FFFF_FFFF_FFFF
  @min -0x8000_0000_0000_0000

  defp raised(fun) do
    fun.()
  rescue
    error ->
      [{module, function, args, _} | _] = __STACKTRACE__
      args = if is_list(args), do: Enum.map(args, &hidden/1), else: args
      {error.__struct__, Exception.message(error), module, function, args}
  end

  defp hidden(ref) when is_reference(ref), do: :ref
  defp hidden({kind, ref}) when is_reference(ref), do: {kind, :ref}
  defp hidden(other), do: other

  defp together(funs) do
    main = self()

    for fun <- funs do
      spawn(fn ->
        fun.()
        send(main, :done)
      end)
    end

    for _ <- funs, do: receive(do: (:done -> :ok))
  end

  describe "atomics" do
    test "every operation" do
      check(fn ->
        ref = :atomics.new(3, [])

        {is_reference(ref), :atomics.put(ref, 1, 5), :atomics.get(ref, 1), :atomics.add(ref, 1, 3),
         :atomics.add_get(ref, 1, -10), :atomics.sub(ref, 1, 3), :atomics.sub_get(ref, 1, 1),
         :atomics.exchange(ref, 1, 7), :atomics.compare_exchange(ref, 1, 7, 8),
         :atomics.compare_exchange(ref, 1, 7, 9), :atomics.get(ref, 1), :atomics.get(ref, 2), :atomics.get(ref, 3),
         :atomics.info(ref)}
      end)
    end

    test "wrap, signed and unsigned" do
      check(fn ->
        signed = :atomics.new(1, signed: true)
        unsigned = :atomics.new(1, signed: false)
        :atomics.put(signed, 1, @max)

        {:atomics.add_get(signed, 1, 1), :atomics.sub_get(signed, 1, 1), :atomics.sub_get(unsigned, 1, 1),
         :atomics.add_get(unsigned, 1, 2), :atomics.info(unsigned), :atomics.info(signed),
         :atomics.exchange(unsigned, 1, 0xFFFF_FFFF_FFFF_FFFF), :atomics.get(unsigned, 1)}
      end)
    end

    test "what is wrong with the arguments" do
      check(fn ->
        ref = :atomics.new(2, [])

        {raised(fn -> :atomics.get(ref, 0) end), raised(fn -> :atomics.get(ref, 3) end),
         raised(fn -> :atomics.get(ref, :one) end), raised(fn -> :atomics.put(ref, 1, 1.5) end),
         raised(fn -> :atomics.put(ref, 1, @max + 1) end), raised(fn -> :atomics.add(ref, 1, @min * 4) end),
         raised(fn -> :atomics.compare_exchange(ref, 1, :a, 2) end), raised(fn -> :atomics.exchange(ref, 9, 2) end),
         raised(fn -> :atomics.get(make_ref(), 1) end), raised(fn -> :atomics.put(:nothing, 1, 1) end),
         raised(fn -> :atomics.info(make_ref()) end), raised(fn -> :atomics.sub(ref, 1, :x) end),
         raised(fn -> :atomics.sub_get(ref, 5, 1) end)}
      end)
    end

    test "what is wrong with options" do
      check(fn ->
        {raised(fn -> :atomics.new(0, []) end), raised(fn -> :atomics.new(:many, []) end),
         raised(fn -> :atomics.new(1, [:signed]) end), raised(fn -> :atomics.new(1, :signed) end),
         raised(fn -> :atomics.new(1, signed: :maybe) end), raised(fn -> :atomics.new(0x1000000000000000000, []) end)}
      end)
    end

    test "adding does not lose anything" do
      check(fn ->
        ref = :atomics.new(1, [])
        together(for n <- 1..4, do: fn -> :atomics.add(ref, 1, n) end)
        :atomics.get(ref, 1)
      end)
    end

    test "reading and putting may" do
      inside =
        check_among(fn ->
          ref = :atomics.new(1, [])
          together(for _ <- 1..2, do: fn -> :atomics.put(ref, 1, :atomics.get(ref, 1) + 1) end)
          :atomics.get(ref, 1)
        end)

      assert inside == [1, 2]
    end

    test "exactly one wins a compare_exchange" do
      check(fn ->
        ref = :atomics.new(2, [])

        together(
          for _ <- 1..4, do: fn -> if :atomics.compare_exchange(ref, 1, 0, 1) == :ok, do: :atomics.add(ref, 2, 1) end
        )

        :atomics.get(ref, 2)
      end)
    end

    test "outlive the process that made them" do
      check(fn ->
        main = self()
        {_, monitor} = spawn_monitor(fn -> send(main, {:ref, :atomics.new(1, [])}) end)
        ref = receive(do: ({:ref, ref} -> ref))
        receive(do: ({:DOWN, ^monitor, _, _, _} -> :ok))
        {:atomics.add_get(ref, 1, 3), :atomics.info(ref).size}
      end)
    end
  end

  describe "counters" do
    for options <- [[], [:atomics], [:write_concurrency]] do
      test "every operation, with #{inspect(options)}" do
        check(fn ->
          ref = :counters.new(2, unquote(options))

          {hidden(ref), :counters.put(ref, 1, 5), :counters.get(ref, 1), :counters.add(ref, 1, 3),
           :counters.sub(ref, 1, 10), :counters.get(ref, 1), :counters.get(ref, 2),
           ref |> :counters.info() |> Map.delete(:memory)}
        end)
      end

      test "wrap, with #{inspect(options)}" do
        check(fn ->
          ref = :counters.new(1, unquote(options))
          :counters.put(ref, 1, @max)
          :counters.add(ref, 1, 1)
          low = :counters.get(ref, 1)
          :counters.sub(ref, 1, 1)
          {low, :counters.get(ref, 1)}
        end)
      end

      test "what is wrong with the arguments, with #{inspect(options)}" do
        check(fn ->
          ref = :counters.new(2, unquote(options))

          {raised(fn -> :counters.get(ref, 0) end), raised(fn -> :counters.get(ref, 3) end),
           raised(fn -> :counters.put(ref, 1, :x) end), raised(fn -> :counters.add(ref, 3, 1) end),
           raised(fn -> :counters.sub(ref, 1, :x) end), raised(fn -> :counters.sub(ref, 7, 1) end),
           raised(fn -> :counters.get({:atomics, make_ref()}, 1) end), raised(fn -> :counters.get(make_ref(), 1) end),
           raised(fn -> :counters.info(:nothing) end)}
        end)
      end
    end

    test "what is wrong with options" do
      check(fn ->
        {raised(fn -> :counters.new(0, []) end), raised(fn -> :counters.new(-1, [:write_concurrency]) end),
         raised(fn -> :counters.new(1, [:fast]) end), raised(fn -> :counters.new(1, [:atomics, :atomics]) end),
         raised(fn -> :counters.new(1, :atomics) end), raised(fn -> :counters.new(:x, []) end)}
      end)
    end

    test "adding does not lose anything, getting and putting may" do
      check(fn ->
        ref = :counters.new(1, [:write_concurrency])
        together(for n <- 1..4, do: fn -> :counters.add(ref, 1, n) end)
        :counters.get(ref, 1)
      end)

      inside =
        check_among(fn ->
          ref = :counters.new(1, [:atomics])
          together(for _ <- 1..2, do: fn -> :counters.put(ref, 1, :counters.get(ref, 1) + 1) end)
          :counters.get(ref, 1)
        end)

      assert inside == [1, 2]
    end
  end
end
