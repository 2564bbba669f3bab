defmodule Lockstep.Instrument.ApplicationsTest do
  # Every module of OTP and Elixir that can become a guest does.
  use ExUnit.Case, async: true

  alias Lockstep.Instrument
  alias Lockstep.Instrument.{Calls, Handler, Loader, Source, Transform}

  @applications [:kernel, :stdlib, :compiler, :mnesia, :eex, :elixir, :logger, :ex_unit]
  # What is not a part of any run, but large and full of rare forms: the parsers are one function of 1,000 clauses each.
  @others [:inets, :ssl, :crypto, :public_key, :asn1, :xmerl]
  @large [:asn1rtt_per, :crypto, :httpc_handler, :public_key, :ssl, :tls_gen_connection, :xmerl_scan]

  defp modules(applications) do
    for application <- applications,
        _ = :application.load(application),
        {:ok, modules} <- [:application.get_key(application, :modules)],
        module <- modules,
        do: module
  end

  defp failure(module) do
    {:ok, object} = Source.object_code(module)
    bytecode = module |> Source.core!(object) |> Transform.module(:guest) |> Loader.compile()
    # Loaded but for the last step: other tests may be running the guest that is there.
    prepared = :erlang.prepare_loading(Instrument.guest_name(module), bytecode)
    if is_reference(prepared), do: nil, else: {module, prepared}
  rescue
    exception -> {module, exception}
  end

  @tag timeout: 300_000
  test "they compile and load" do
    guests = Enum.filter(modules(@applications), &(Calls.default(&1) == :guest))
    large = for module <- modules(@others), module in @large, do: module
    assert length(guests) > 200

    failures =
      (guests ++ large)
      |> Task.async_stream(&failure/1, timeout: :infinity, ordered: false)
      |> Enum.flat_map(fn {:ok, failure} -> List.wrap(failure) end)

    assert failures == []
  end

  # The compiler is pure, large, and uses all of the language: what it makes tells whether it is still itself.
  @tag timeout: 300_000
  test "a copy of the compiler compiles as the compiler does" do
    Code.ensure_loaded!(Handler)
    Process.flag(:error_handler, Handler)
    {:ok, object} = Source.object_code(:gb_trees)
    {:ok, {_, [abstract_code: {_, forms}]}} = :beam_lib.chunks(object, [:abstract_code])

    forms = :erl_expand_records.module(forms, [])

    [expected, copied] =
      for name <- [& &1, &Instrument.guest_name/1] do
        {:ok, core, []} = name.(:v3_core).module(forms, [])
        name.(:sys_core_fold).module(core, [])
      end

    assert {:ok, _, _} = expected
    assert copied == expected
  end
end
