defmodule Lockstep.Instrument.LoadTest do
  # Modules that do something when they are loaded, and functions that are not in the module's own code.
  use ExUnit.Case, async: false
  use Lockstep

  import Lockstep.InstrumentFixture

  alias Lockstep.Instrument
  alias Lockstep.Instrument.{Source, Transform, UnsupportedModuleError}
  alias Lockstep.Support.Outside

  test "what a module does when it is loaded is done once, by the original" do
    source = """
    -module(lk_on_load).
    -export([f/0]).
    -on_load(load/0).
    load() -> persistent_term:put(lk_on_load, persistent_term:get(lk_on_load, 0) + 1), ok.
    f() -> receive never -> no after 0 -> persistent_term:get(lk_on_load) end.
    """

    {module, guest} = load!(source)
    assert :persistent_term.get(:lk_on_load) == 1
    assert {:returned, 1} = same!(module, guest, :f, [])
  end

  test "functions of a library are called in the original, and are escapes inside of a run" do
    # Mix leaves out of the code path what the project does not depend on.
    [:code.root_dir(), "lib/asn1-*/ebin"] |> Path.join() |> Path.wildcard() |> Enum.each(&Code.append_path/1)
    Code.ensure_loaded!(:asn1rt_nif)
    assert {:encode_ber_tlv, 1} in :asn1rt_nif.module_info(:nifs)
    {:ok, object} = Source.object_code(:asn1rt_nif)
    guest = guest!(:asn1rt_nif, object)
    expected = apply(:asn1rt_nif, :encode_ber_tlv, [{2, "a"}])
    assert {:returned, ^expected} = same!(:asn1rt_nif, guest, :encode_ber_tlv, [{2, "a"}])
    assert {:returned, {:error, _}} = same!(:asn1rt_nif, guest, :encode_ber_tlv, [:no_tlv])

    Outside.listen()
    program = fn -> Outside.tell(apply(:asn1rt_nif, :encode_ber_tlv, [{2, "a"}])) end
    Lockstep.Runner.run(program, seeds: [1], strategy: :random, escapes: :allow)
    assert_receive {:outcome, ^expected}

    error = assert_raise Lockstep.Failure, fn -> Lockstep.Runner.run(program, seeds: [1], escapes: :raise) end
    assert Exception.message(error) =~ ":asn1rt_nif.encode_ber_tlv/1 has an effect outside the simulation"
  end

  test "a module that cannot be instrumented says why" do
    unknown = :cerl.c_primop(:cerl.c_atom(:from_a_later_release), [])
    function = {:cerl.c_fname(:f, 0), :cerl.c_fun([], unknown)}
    core = :cerl.c_module(:cerl.c_atom(:lk_later), [:cerl.c_fname(:f, 0)], [function])

    assert_raise UnsupportedModuleError,
                 ~r/^module :lk_later cannot run inside a simulation: .*primop :from_a_later_release; put it behind/,
                 fn -> Transform.module(core, :guest) end

    {module, bytecode} = object_code!("-module(lk_no_source). -export([f/0]). f() -> 1.", [])
    {:module, ^module} = :code.load_binary(module, ~c"lk", bytecode)
    assert_raise Lockstep.MissingDebugInfoError, ~r/:lk_no_source/, fn -> Instrument.load_guest!(module) end
  end

  defmodule Optimised do
    @compile {:core_transform, Lockstep.Instrument.InPlace}

    # The optimiser leaves out what the failing of these guards would need in a body.
    def here?(value) when node(value) == node(), do: true
    def here?(_), do: false
    def either(value) when node(value) == :elsewhere or hd(value) == self(), do: :yes
    def either(value) when is_list(value) and node(hd(value)) == node(), do: :listed
    def either(_), do: :no
  end

  test "guards that fail do so in optimised code, too" do
    for {value, here, either} <- [{self(), true, :no}, {1, false, :no}, {[self()], false, :listed}, {[1], false, :no}] do
      assert {value, Optimised.here?(value), Optimised.either(value)} == {value, here, either}
    end
  end
end
