defmodule Conformance.PersistentTermTest do
  # Persistent terms. Those of the VM itself are none of a run's, so programs look at keys of their own only.
  use Lockstep.Support.Conformance

  defp raised(fun) do
    fun.()
  rescue
    error ->
      [{module, function, args, _} | _] = __STACKTRACE__
      {error.__struct__, Exception.message(error), module, function, args}
  end

  # The plain VM keeps them from one run of a program to the next.
  defp cleanly(keys, fun) do
    result = fun.()
    for key <- keys, do: :persistent_term.erase(key)
    result
  end

  test "put, get, replace, erase" do
    check(fn ->
      cleanly([:key], fn ->
        {:persistent_term.put(:key, %{a: [1, 2.5, "text"]}), :persistent_term.get(:key),
         :persistent_term.put(:key, 2), :persistent_term.get(:key, :default), :persistent_term.erase(:key),
         :persistent_term.erase(:key), :persistent_term.get(:key, :default)}
      end)
    end)
  end

  test "a key that is not there" do
    check(fn -> {raised(fn -> :persistent_term.get({:no, :such}) end), :persistent_term.erase({:no, :such})} end)
  end

  test "keys are the same only if they match" do
    check(fn ->
      keys = [1, 1.0, {1}, {1.0}, "1", ~c"1", nil]

      cleanly(keys, fn ->
        for {key, n} <- Enum.with_index(keys), do: :persistent_term.put(key, n)
        mine = for {key, n} <- :persistent_term.get(), key in keys, do: {key, n}
        {Enum.map(keys, &:persistent_term.get/1), length(mine)}
      end)
    end)
  end

  test "info counts" do
    check(fn ->
      cleanly([:one, :two], fn ->
        before = :persistent_term.info().count
        :persistent_term.put(:one, 1)
        :persistent_term.put(:two, Enum.to_list(1..100))
        info = :persistent_term.info()
        {info.count - before, info.memory >= 100 * 16, Enum.sort(Map.keys(info))}
      end)
    end)
  end

  test "all processes see the same, and a term outlives its maker" do
    check(fn ->
      main = self()

      cleanly([:shared], fn ->
        {_, ref} = spawn_monitor(fn -> :persistent_term.put(:shared, {:from, self() != main}) end)
        receive(do: ({:DOWN, ^ref, _, _, _} -> :persistent_term.get(:shared)))
      end)
    end)
  end

  test "two writers" do
    inside =
      check_among(fn ->
        main = self()

        cleanly([:raced], fn ->
          for n <- [1, 2] do
            spawn(fn ->
              :persistent_term.put(:raced, n)
              send(main, :done)
            end)
          end

          for _ <- [1, 2], do: receive(do: (:done -> :ok))
          :persistent_term.get(:raced)
        end)
      end)

    assert inside == [1, 2]
  end
end
