defmodule Lockstep.Instrument.ServerTest do
  use ExUnit.Case, async: false

  alias Lockstep.Instrument
  alias Lockstep.Instrument.{Cache, Server, Source}

  @moduletag :tmp_dir

  setup context do
    before = Application.get_env(:lockstep, :cache_dir)
    Application.put_env(:lockstep, :cache_dir, context.tmp_dir)

    on_exit(fn ->
      if before,
        do: Application.put_env(:lockstep, :cache_dir, before),
        else: Application.delete_env(:lockstep, :cache_dir)
    end)

    Instrument.install_tracer()
  end

  defp define(source) do
    for {module, _bytecode} <- Code.compile_string(source) do
      on_exit(fn ->
        Instrument.forget(module)
        :code.purge(module)
        :code.delete(module)
      end)

      module
    end
  end

  defp entry?(module) do
    {:ok, object} = Source.object_code(module)
    match?({:ok, _}, Cache.read(Cache.key(object)))
  end

  defp wait_until(condition, tries \\ 500) do
    unless condition.() or tries == 0 do
      Process.sleep(10)
      wait_until(condition, tries - 1)
    end

    assert condition.()
  end

  test "a guest is made once, whoever asks and however many" do
    [module] = define("defmodule ServerTestOnce do def f, do: send(self(), :sent) end")
    before = Server.made()

    guests = 1..20 |> Enum.map(fn _ -> Task.async(fn -> Instrument.load_guest!(module) end) end) |> Task.await_many()

    assert Enum.uniq(guests) == [Instrument.guest_name(module)]
    assert hd(guests).f() == :sent
    assert Server.made() <= before + 1
  end

  test "what a new guest calls is made beforehand, and no further" do
    [called, next, first] =
      define("""
      defmodule ServerTestCalled do
        def f, do: send(self(), :sent)
      end

      defmodule ServerTestNext do
        def f, do: ServerTestCalled.f()
      end

      defmodule ServerTestFirst do
        def f, do: ServerTestNext.f()
      end
      """)

    Instrument.load_guest!(first)
    wait_until(fn -> entry?(next) end)
    refute entry?(called)
    refute :erlang.module_loaded(Instrument.guest_name(next))
    assert Instrument.load_guest!(next) == Instrument.guest_name(next)
  end

  test "one that cannot be made is an error for all who ask" do
    [module] = define("defmodule ServerTestBare do def f, do: 1 end")
    :ets.delete(Lockstep.Instrument.Tracer, module)
    results = 1..5 |> Enum.map(fn _ -> Task.async(fn -> Instrument.load_guest(module) end) end) |> Task.await_many()
    assert [{:error, %Lockstep.MissingDebugInfoError{module: ^module}}] = Enum.uniq(results)
  end
end
