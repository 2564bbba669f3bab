defmodule Lockstep.Instrument.NativesTest do
  # What is left native has no effects: its object code says which functions it calls.
  use ExUnit.Case, async: true

  alias Lockstep.Instrument.{Calls, Source}

  @applications [:kernel, :stdlib, :syntax_tools, :crypto, :elixir, :logger, :ex_unit]

  # Copies without effects of their own: they go through maps, or call protocols that programs implement. Native code
  # calls the originals of them, with data of its own.
  @pure [
    Access,
    Collectable,
    Dict,
    Enum,
    Enumerable,
    Exception,
    Function,
    HashDict,
    HashSet,
    JSON.Encoder,
    Keyword,
    List.Chars,
    Map,
    MapSet,
    OptionParser,
    Set,
    Stream,
    String.Chars,
    URI,
    :elixir_json,
    :io_lib,
    :io_lib_format,
    :io_lib_pretty,
    :json,
    :sets
  ]

  # They run while code is compiled, or handle code as data.
  @compilation [
    Behaviour,
    Bitwise,
    Code.Formatter,
    Code.Fragment,
    Code.Normalizer,
    Code.Typespec,
    Kernel.Typespec,
    Kernel.Utils,
    Macro,
    Macro.Env,
    Module,
    Protocol,
    Record,
    String.Tokenizer,
    :cerl,
    :elixir_aliases,
    :elixir_config,
    :elixir_erl,
    :elixir_map,
    :elixir_quote,
    :elixir_utils,
    :erl_abstract_code,
    :erl_features,
    :erl_lint,
    :erl_pp,
    :erl_syntax,
    :erl_syntax_lib,
    :ms_transform
  ]

  # They put words to what was wrong with an argument, as far as the host can tell.
  @errors [
    CompileError,
    Kernel.TypespecError,
    MismatchedDelimiterError,
    SyntaxError,
    TokenMissingError,
    UndefinedFunctionError,
    ExUnit.DocTest.Error,
    :erl_erts_errors,
    :erl_kernel_errors,
    :erl_stdlib_errors
  ]

  # The host's side of a test; what of it a program calls has entries of its own in the table.
  @host [ExUnit.Assertions, ExUnit.Callbacks, ExUnit.Case, ExUnit.Diff, ExUnit.Formatter]

  @explained [
    {Calendar, [Application], "the time zone database is configured before the run"},
    {Date, [DateTime, :os], "in functions that are copies"},
    {DateTime, [System, :os], "in functions that are copies"},
    {NaiveDateTime, [DateTime, System, :os, :erlang], "in functions that are copies"},
    {Time, [:os], "in functions that are copies"},
    {IO.ANSI, [Application], "colours are the host's"},
    {Inspect.Algebra, [Process], "the process's own dictionary"},
    {Inspect.HashDict, [:HashDict], "a type that no longer is"},
    {Inspect.HashSet, [:HashSet], "a type that no longer is"},
    {Inspect.Any, [:maps], "the runtime has inspect/2 sort maps"},
    {Inspect.Map, [:maps], "the runtime has inspect/2 sort maps"},
    {Inspect.Opts, [:persistent_term], "set in a function that is an escape"},
    {Kernel, [:erlang, :maps, Kernel.LexicalTracker, :elixir_interpolation, :elixir_locals, :elixir_module],
     "in functions that are redirected, or in macros"},
    {Kernel, [Kernel], "in the copies of functions that call a program's own"},
    {KeyError, [:maps], "looks for similar keys, and sorts what it finds"},
    {Map, [:maps, :erlang], "in functions that are copies"},
    {Regex, [:erlang], "asks for the version of the VM, which is one"},
    {:calendar, [:erlang], "in functions with entries of their own"},
    {:erl_parse, [:erlang, :maps, :eval_bits], "in abstract/1,2, which is a copy, or with code as data"},
    {:maps, [:maps, :erlang, :erts_internal],
     "in the functions that are redirected, and a value that nobody else has"},
    {:proplists, [:maps], "in from_map/1, which is a copy"},
    {:rand, [:erlang, :io], "in seeding, which is redirected, or for debugging; processes start with a seeded state"},
    {:uri_string, [:maps], "the parts of one address, put together in no order"}
  ]

  # They call what the caller gives them, or ask about a function.
  @everywhere [
    {:erlang, :apply},
    {:erlang, :make_fun},
    {:erlang, :fun_info},
    {:erlang, :fun_to_list},
    {:erlang, :function_exported},
    {:erl_eval, :partial_eval},
    {:elixir_env, :to_caller},
    {:elixir_erl_pass, :no_parens_remote},
    {:elixir_erl_pass, :parens_map_field},
    {IO, :warn},
    {IO, :warn_once}
  ]

  defp natives do
    for application <- @applications,
        _ = :application.load(application),
        {:ok, modules} <- [:application.get_key(application, :modules)],
        module <- modules,
        Calls.default(module) == :native,
        do: module
  end

  defp leaks(module) do
    for {target, function, arity} <- imports(module),
        Calls.classify(target, function, arity) != :native,
        target not in @pure and {target, function} not in @everywhere and not explained?(module, target),
        do: {module, {target, function, arity}}
  end

  defp imports(module) do
    with {:ok, object} <- Source.object_code(module),
         {:ok, {^module, [imports: imports]}} <- :beam_lib.chunks(object, [:imports]) do
      imports
    else
      _ -> []
    end
  end

  defp explained?(module, target) do
    module in @compilation or module in @errors or module in @host or
      Enum.any?(@explained, fn {native, targets, _why} -> native == module and target in targets end)
  end

  test "native modules call nothing that the table has anything else for, unless it is explained" do
    modules = natives()
    assert length(modules) > 100
    assert modules |> Enum.flat_map(&leaks/1) |> Enum.map_join("\n", &inspect/1) == ""
  end

  test "a module with effects would be found" do
    assert {GenServer, {:erlang, :monitor, 2}} in leaks(GenServer) or
             {GenServer, {:erlang, :send, 2}} in leaks(GenServer)

    assert {:digraph, {:ets, :insert, 2}} in leaks(:digraph)
    assert leaks(:sets) != []
  end

  # A copy with the function's own code, which is never run, would fail.
  test "what the VM has in C is the same function in a copy" do
    assert :erlang.is_builtin(:error_logger, :warning_map, 0)
    guest = Lockstep.Instrument.load_guest!(:error_logger)
    assert guest.warning_map() == :error_logger.warning_map()
  end
end
