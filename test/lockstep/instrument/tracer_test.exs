defmodule Lockstep.Instrument.TracerTest do
  use ExUnit.Case, async: true

  alias Lockstep.Instrument

  defmodule Defined do
    def answer, do: {42, __MODULE__}
  end

  test "modules of test files can have guests" do
    guest = Instrument.load_guest!(Defined)
    assert guest != Defined
    assert guest.answer() == {42, Defined}
  end

  test "a module defined anew gets a new guest" do
    define = fn value ->
      [{module, _}] = Code.compile_string("defmodule Lockstep.TracerTest.Anew, do: def(value, do: #{value})")
      module
    end

    module = define.(1)
    assert Instrument.load_guest!(module).value() == 1
    Code.put_compiler_option(:ignore_module_conflict, true)
    assert module == define.(2)
    Code.put_compiler_option(:ignore_module_conflict, false)
    refute :erlang.module_loaded(Instrument.guest_name(module))
    assert Instrument.load_guest!(module).value() == 2
  end

  test "install_tracer/0 installs it once" do
    Instrument.install_tracer()
    Instrument.install_tracer()
    assert Enum.count(Code.get_compiler_option(:tracers), &(&1 == Lockstep.Instrument.Tracer)) == 1
  end
end
