defmodule Lockstep.Instrument.HandlerTest do
  use ExUnit.Case, async: true

  alias Lockstep.Instrument
  alias Lockstep.Instrument.Handler
  alias Lockstep.InstrumentFixture

  defmodule Target do
    def value, do: {:value, __MODULE__}
  end

  setup do
    Code.ensure_loaded!(Handler)
    Process.flag(:error_handler, Handler)
    on_exit(fn -> Instrument.forget(Target) end)
  end

  test "makes a guest on its first call" do
    guest = Instrument.guest_name(Target)
    refute :erlang.module_loaded(guest)
    assert guest.value() == {:value, Target}
    assert :erlang.module_loaded(guest)
  end

  test "a function the module lacks is undefined under its original name" do
    guest = Instrument.guest_name(Target)

    error = catch_error(guest.missing(1))
    assert error == :undef

    assert_raise UndefinedFunctionError, ~r/function #{inspect(Target)}.missing\/1 is undefined or private/, fn ->
      guest.missing(1)
    end
  end

  test "a module that does not exist is undefined under its original name" do
    guest = Instrument.guest_name(No.Such.Module)

    try do
      guest.run(1, 2)
    catch
      :error, :undef -> assert [{No.Such.Module, :run, [1, 2], _}, {__MODULE__, _, _, _} | _] = __STACKTRACE__
    end
  end

  test "ordinary modules are looked for where the VM looks for them" do
    assert_raise UndefinedFunctionError, fn -> apply(No.Such.Module, :run, []) end
  end

  test "a module that cannot be copied says why" do
    {module, bytecode} = InstrumentFixture.object_code!("-module(lk_stripped). -export([f/0]). f() -> ok.", [])
    {:module, ^module} = :code.load_binary(module, ~c"fixture.erl", bytecode)

    assert_raise Lockstep.MissingDebugInfoError, ~r/module :lk_stripped has no debug_info.*compile it with/s, fn ->
      Instrument.guest_name(module).f()
    end
  end
end
