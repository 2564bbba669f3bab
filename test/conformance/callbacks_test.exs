defmodule Conformance.CallbacksTest do
  # Pure code of Elixir and OTP that calls a program's own, which has effects: protocols, behaviours, functions by name.
  use Lockstep.Support.Conformance

  alias Conformance.Box

  test "Access, through brackets, keys and functions" do
    check(fn ->
      box = Box.new(%{size: 1, inner: %{colour: :red}})

      {box[:size], get_in(box, [:inner, :colour]), get_in(%{box: [box]}, [:box, Access.at(0), :size]),
       Access.fetch!(box, :size), update_in(box, [:size], &(&1 + 1))[:size], put_in(box[:label], 3)[:label],
       put_in(box, [:label], 4)[:label], pop_in(%{box: box}, [:box, :label]) |> elem(0),
       get_and_update_in(box, [:size], &{&1, 9}) |> elem(0), Box.content(box)}
    end)
  end

  test "a path of keys that a program has put together" do
    check(fn ->
      box = Box.new(%{size: 1})
      path = untyped([:box, :size])
      wrapped = %{box: box}
      get = &Kernel.get_in/2
      update_in(wrapped, path, &(&1 + 1))
      put_in(wrapped, path, get.(wrapped, path) + 1)

      {apply(Kernel, :get_in, [wrapped, path]), get_and_update_in(wrapped, path, &{&1, &1 * 10}) |> elem(0),
       box[:size]}
    end)
  end

  test "comparison" do
    check(fn ->
      [small, large] = for size <- [1, 2], do: Box.new(%{size: size})
      keyed = [b: large, a: small]

      {Enum.sort([large, small], Box) == [small, large], Enum.sort([small, large], {:desc, Box}) == [large, small],
       Enum.max([small, large], Box) == large, Enum.sort_by(keyed, &elem(&1, 1), Box) |> Keyword.keys(),
       List.keysort(keyed, 1, Box) |> Keyword.keys(), List.keysort(keyed, 1, {:desc, Box}) |> Keyword.keys(),
       Enum.min_max_by(keyed, &elem(&1, 1), Box) == {{:a, small}, {:b, large}}}
    end)
  end

  test "text" do
    check(fn ->
      box = Box.new(%{size: 1})

      {"#{box}", Enum.join([box, 2], ","), Enum.map_join([1], fn _ -> box end), inspect(box), inspect(%{in: [{box}]}),
       Enum.map([box], &Kernel.to_string/1), :lists.map(&Kernel.inspect/1, [box]),
       Exception.message(%Box.Error{box: box}), Exception.format(:error, %Box.Error{box: box}, []),
       ExUnit.CaptureIO.capture_io(fn -> IO.puts(box) && IO.inspect(box) end)}
    end)
  end

  test "what can be enumerated and collected" do
    check(fn ->
      box = Box.new(%{size: 1, b: 2})

      {Enum.concat([[0], box]), Enum.flat_map([1], fn _ -> box end), Enum.zip([1, 2], box),
       Enum.into([a: 0], box)[:a], Map.new(box), Enum.at(box, 0), Stream.zip([1, 2], box) |> Enum.to_list(),
       MapSet.new(box) |> MapSet.size(), for({key, value} <- box, do: {value, key}),
       for(x <- [:z], into: box, do: {x, 7}) |> Enum.count()}
    end)
  end

  test "functions by name, in every hand" do
    check(fn ->
      {module, name} = untyped({Box, :me})
      me = self()

      for fun <- [&Box.me/1, Function.capture(module, name, 1), :erlang.make_fun(module, name, 1), &module.me/1] do
        {Enum.map([1], fun) == [me], :lists.map(fun, [1]) == [me], Map.update(%{a: 1}, :a, 0, fun).a == me,
         List.update_at([1], 0, fun) == [me], Keyword.update([a: 1], :a, 0, fun) == [a: me],
         update_in(%{a: 1}, [:a], fun).a == me, Stream.map([1], fun) |> Enum.at(0) == me, fun == (&Box.me/1),
         inspect(fun), Function.info(fun, :module), Task.async(fn -> fun.(1) == self() end) |> Task.await()}
      end
    end)
  end

  test "what a function says of itself" do
    check(fn ->
      for fun <- [Box.local(1), &Box.me/1, fn -> :here end] do
        {:erlang.fun_info_mfa(fun), Function.info(fun, :module), Function.info(fun, :name),
         Function.info(fun, :arity), Function.info(fun)[:env],
         fun |> :erlang.fun_to_list() |> to_string() |> String.replace(~r/\d/, ""),
         fun |> inspect() |> String.replace(~r/\d/, "")}
      end
    end)
  end
end
