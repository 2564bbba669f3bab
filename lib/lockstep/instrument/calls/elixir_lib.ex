defmodule Lockstep.Instrument.Calls.ElixirLib do
  @moduledoc false
  # How the modules of Elixir's applications are treated. A module on no list is :guest: `GenServer`, `Task`,
  # `Agent`, `Registry`, `Supervisor`, `Process`, `Node`, `Stream` and the rest run as instrumented copies. So do pure
  # modules that go through maps (`Map`, `MapSet`, `Keyword.new/1`), see `Lockstep.Runtime.Maps`, and protocols that
  # programs implement.

  @native [
    Atom,
    Base,
    Behaviour,
    Bitwise,
    Calendar,
    Calendar.ISO,
    Calendar.UTCOnlyTimeZoneDatabase,
    Code.Formatter,
    Code.Fragment,
    Code.Identifier,
    Code.Normalizer,
    Code.Typespec,
    Date.Range,
    Duration,
    File.Stat,
    Float,
    IO.ANSI,
    IO.ANSI.Sequence,
    Inspect,
    Inspect.Algebra,
    Integer,
    Kernel.SpecialForms,
    Kernel.Typespec,
    Kernel.Utils,
    Macro.Env,
    Protocol,
    Range,
    Record,
    Regex,
    String,
    String.Break,
    String.Tokenizer,
    String.Unicode,
    Tuple,
    Version,
    Version.Parser,
    Version.Requirement,
    :elixir_aliases,
    :elixir_config,
    :elixir_erl,
    :elixir_map,
    :elixir_quote,
    :elixir_utils,
    # Assertions raise, compare and print; what starts or captures processes is listed under mixed/0.
    ExUnit.AssertionError,
    ExUnit.Case,
    ExUnit.Diff,
    ExUnit.Formatter
  ]

  @escapes [
    Config,
    Config.Provider,
    Config.Reader,
    File,
    File.Stream,
    Kernel.ParallelCompiler,
    Kernel.ParallelRequire,
    Path.Wildcard,
    Port,
    Record.Extractor,
    System.SignalHandler,
    :elixir,
    :elixir_code_server,
    :elixir_compiler,
    # What `defmodule` in a function calls.
    :elixir_module,
    ExUnit.OnExitHandler,
    ExUnit.Runner,
    ExUnit.Server
  ]

  # Same form as in `Lockstep.Instrument.Calls.OTP`.
  @mixed [
    {Application, :guest,
     [
       {:native, ~w(app_dir compile_env compile_env! format_error)a}
     ]},
    {Code, :escape,
     [
       {:native,
        ~w(available_compiler_options compiler_options ensure_compiled ensure_compiled! ensure_loaded ensure_loaded!
           ensure_loaded? ensure_all_loaded ensure_all_loaded! fetch_docs format_string! get_compiler_option
           get_docs loaded? quoted_to_algebra string_to_quoted string_to_quoted! string_to_quoted_with_comments)a}
     ]},
    # The pure parts stay native; only what reads the clock is worth a copy.
    {Date, :native, [{:guest, ~w(utc_today)a}]},
    {DateTime, :native, [{:guest, ~w(now now! utc_now)a}]},
    {NaiveDateTime, :native, [{:guest, ~w(local_now utc_now)a}]},
    {Time, :native, [{:guest, ~w(utc_now)a}]},
    # To say more about an error it reads the object code of modules.
    {Exception, :guest, [{:native, ~w(blame blame_mfa)a}]},
    # Templates are compiled before the run, or evaluated, where nothing is under control.
    {EEx, :native, [{:escape, ~w(compile_file eval_file eval_string)a}]},
    {ExUnit, :escape, [{:native, ~w(plural_rule)a}]},
    # What a failed `assert_receive` prints: the mailbox it shows has to be the virtual one.
    {ExUnit.Assertions, :native, [{:guest, [__timeout__: [5]]}]},
    {ExUnit.Callbacks, :native, []},
    {IO, :guest, [{:native, ~w(chardata_to_string iodata_empty? iodata_length iodata_to_binary)a}]},
    # They call a program's own `Access`.
    {Kernel, :native, [{:guest, [get_in: [2], put_in: [3], update_in: [3], get_and_update_in: [3], pop_in: [2]]}]},
    {Logger, :escape,
     [
       {:native, ~w(__should_log__ compare_levels default_formatter disable enable enabled? get_module_level
           get_process_level level levels metadata put_process_level delete_process_level reset_metadata)a}
     ]},
    # Copies where they go through maps, or through what else the caller gives them.
    {Keyword, :native, [{:guest, ~w(from_keys new)a}]},
    # It calls the `compare/2` of a program's module.
    {List, :native, [{:guest, [keysort: [3]]}]},
    # What `dbg/2` prints belongs to the run.
    {Macro, :native, [{:guest, ~w(__dbg__ dbg_format_header)a}]},
    {Map, :native,
     [
       {:guest,
        [:filter, :from_keys, :intersect, :keys, :map, :new, :reject, :split_with, :to_list, :values, merge: [3]]}
     ]},
    {Mix, :escape, [{:native, ~w(env target)a}]},
    {Module, :native, [{:escape, ~w(create eval_quoted)a}]},
    {Inspect.Opts, :native, [{:escape, [default_inspect_fun: [1]]}]},
    {System, :guest,
     [
       {:native,
        ~w(build_info compiled_endianness convert_time_unit endianness fetch_env fetch_env! get_env otp_release
           version)a},
       {:refuse, ~w(no_halt restart)a},
       {:escape, ~w(argv at_exit cmd cwd cwd! delete_env find_executable pid put_env shell
           tmp_dir tmp_dir! trap_signal trust_exit_status untrap_signal user_home user_home!)a}
     ]}
  ]

  @families ~w(Elixir.Inspect. Elixir.List.Chars. Elixir.String.Chars.)

  @doc "Modules that run as they are, with the exceptions and protocol implementations of the Elixir in use."
  @spec native() :: [module()]
  def native,
    do:
      Enum.uniq(@native ++ Enum.filter(application_modules(), &family?/1)) --
        (@escapes ++ Enum.map(@mixed, &elem(&1, 0)))

  @doc "Modules with effects that are not simulated: Mix, whose state is the host's, as a whole."
  @spec escapes() :: [module()]
  def escapes, do: @escapes ++ (modules([:mix]) -- [Mix])

  @doc "Modules whose functions differ."
  @spec mixed() :: [{module(), atom(), [{atom(), list()}]}]
  def mixed, do: @mixed

  defp application_modules, do: modules([:elixir, :ex_unit, :logger])

  defp modules(applications) do
    Enum.flat_map(applications, fn app ->
      _ = :application.load(app)
      {:ok, modules} = :application.get_key(app, :modules)
      modules
    end)
  end

  defp family?(module) do
    name = Atom.to_string(module)
    String.ends_with?(name, "Error") or String.starts_with?(name, @families)
  end
end
