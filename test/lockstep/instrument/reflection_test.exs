defmodule Lockstep.Instrument.ReflectionTest do
  use ExUnit.Case, async: true

  alias Lockstep.Instrument
  alias Lockstep.Instrument.Reflection

  defmodule Maker do
    def make(value), do: fn -> value end
  end

  test "fun_info/1,2 name the original module" do
    fun = Instrument.load_guest!(Maker).make(1)

    assert {:module, guest} = :erlang.fun_info(fun, :module)
    assert guest == Instrument.guest_name(Maker)
    assert Reflection.fun_info(fun, :module) == {:module, Maker}
    assert Reflection.fun_info(fun)[:module] == Maker
    assert Reflection.fun_info(fun, :arity) == {:arity, 0}
  end

  test "function_exported/3 answers outside a simulation as the VM does" do
    assert Reflection.function_exported(:lists, :map, 2)
    refute Reflection.function_exported(:lists, :map, 17)
    refute Reflection.function_exported(No.Such.Module, :run, 0)
    assert_raise ArgumentError, fn -> Reflection.function_exported("lists", :map, 2) end
  end
end
