defmodule Mix.Tasks.Lockstep.Gallery do
  @shortdoc "Measures how soon Lockstep finds the known bugs of its gallery"
  @moduledoc """
  Measures in how many runs the bugs of Lockstep's gallery are found.

      mix lockstep.gallery [NAME...] [OPTION...]

  For a checkout of Lockstep: the programs are in `test/gallery/programs`, one a file, and described in
  `docs/gallery.md`. Without a NAME all are measured. A line shows for each strategy the median and the worst number of
  runs that it took to find the bug, over all sweeps; `none (3)` as the worst says that three sweeps did not find it.
  Each sweep has other seeds, the same every time.

  Options:

    * `--strategy S,S` - the strategies to measure (default: the one that Lockstep uses by default)
    * `--sweeps N` - how many sweeps (default: 100)
    * `--runs N` - how many runs a sweep may take (default: 1000)
    * `--twins N` - also run the corrected programs under so many seeds, with the first of the strategies; if one
      fails, its report is printed and the command fails
    * `--exhaustive N` - instead of all that, explore all interleavings of each program and of its corrected twin, N at
      most (see `strategy: :exhaustive`): which twins are proved to be free of their bug
    * `--markdown` - also write the table into `docs/gallery.md`; only for all programs
    * `--help` - this text

  For example

      mix lockstep.gallery dining_philosophers --strategy random,fifo --sweeps 20 --twins 1000
  """
  use Mix.Task

  @compile {:no_warn_undefined, [Gallery.Library, Gallery.Proofs, Gallery.Search, Gallery.Table]}

  @switches [
    strategy: :string,
    sweeps: :integer,
    runs: :integer,
    twins: :integer,
    exhaustive: :integer,
    markdown: :boolean,
    help: :boolean
  ]
  @support ~w(program library search table proofs)
  @variables ~w(LOCKSTEP_SEED LOCKSTEP_SEEDS LOCKSTEP_STRATEGY)

  @failed_twin "a corrected program failed; its report is above"

  @impl true
  def run(arguments) do
    {options, names} = parse(arguments)

    if options[:help] do
      Mix.shell().info(@moduledoc)
    else
      check_checkout!()
      check_environment!()
      Mix.Task.run("app.start")
      load_support()
      if options[:markdown] && names != [], do: Mix.raise("--markdown writes the whole table; leave out the names")
      if options[:exhaustive], do: prove(names, options), else: measure(names, options)
    end
  end

  defp parse(arguments) do
    case OptionParser.parse(arguments, strict: @switches) do
      {options, names, []} -> {check_numbers!(options), names}
      {_options, _names, [{switch, _} | _]} -> Mix.raise("wrong option #{switch}; see mix lockstep.gallery --help")
    end
  end

  defp check_numbers!(options) do
    for {name, number} when is_integer(number) and number < 1 <- options do
      Mix.raise("--#{name} #{number}: expected a number that is 1 or more")
    end

    options
  end

  defp check_checkout! do
    unless Mix.Project.config()[:app] == :lockstep and File.dir?("test/gallery/programs") do
      Mix.raise(
        "the gallery of known bugs is a part of Lockstep's own tests, and not of the package; " <>
          "run mix lockstep.gallery in a checkout of Lockstep"
      )
    end
  end

  defp check_environment! do
    for variable <- @variables, System.get_env(variable, "") != "" do
      Mix.raise("#{variable} is set, and would decide every sweep; unset it: env -u #{variable} mix lockstep.gallery")
    end
  end

  # The programs use ExUnit's assertions, which newer releases of Mix hide from a project that does not ask for them.
  defp load_support do
    if function_exported?(Mix, :ensure_application!, 1), do: apply(Mix, :ensure_application!, [:ex_unit])
    Lockstep.start()
    Enum.each(@support, &Code.require_file("test/gallery/support/#{&1}.exs"))
  end

  defp measure(names, options) do
    strategies = strategies(options[:strategy])
    programs = programs(names)
    sweeps = options[:sweeps] || 100
    runs = options[:runs] || 1000
    Mix.shell().info("runs to the bug, median / worst of #{sweeps} sweeps of #{runs} runs at most\n")
    Mix.shell().info(Gallery.Table.header(strategies))
    rows = Enum.map(programs, &row(&1, strategies, sweeps, runs, options[:twins]))
    Mix.shell().info("\n" <> Gallery.Table.totals(rows, strategies))
    if options[:markdown], do: Gallery.Table.write!(rows, strategies, head(sweeps, runs))
    if Enum.any?(rows, &(&1.twin == :failed)), do: Mix.raise(@failed_twin)
  end

  defp prove(names, options) do
    check_alone!(options)
    most = options[:exhaustive]
    programs = programs(names)

    Mix.shell().info(
      "all interleavings, #{most} at most: which of them shows the bug, and those of the corrected twin\n"
    )

    Mix.shell().info(Gallery.Proofs.header())
    rows = Enum.map(programs, &proof(&1, most))
    proved = Enum.count(rows, &match?({_program, {:proved, _found, _all}}, &1))
    Mix.shell().info("\n#{proved} of #{length(rows)} corrected programs are proved to be free of their bug")
    if options[:markdown], do: Gallery.Proofs.write!(rows, most)
    if Enum.any?(rows, &match?({_program, {:failed, _failure}}, &1)), do: Mix.raise(@failed_twin)
  end

  defp check_alone!(options) do
    for name <- [:strategy, :sweeps, :runs, :twins], options[name] do
      Mix.raise("--#{name} is about sweeps, and --exhaustive makes none")
    end
  end

  defp proof(program, most) do
    proof = Gallery.Proofs.prove(program, most)
    Mix.shell().info(Gallery.Proofs.row(program, proof, most))
    with {:failed, failure} <- proof, do: complain(program, failure)
    {program, proof}
  end

  defp complain(program, failure) do
    Mix.shell().error("the corrected #{program.name} fails:\n" <> Exception.message(failure))
  end

  defp head(sweeps, runs),
    do: "Median / worst number of runs to the bug, of #{sweeps} sweeps of #{runs} runs at most:"

  defp strategies(nil), do: [Lockstep.Options.schema()[:strategy][:default]]
  defp strategies(text), do: text |> String.split(",", trim: true) |> Enum.map(&strategy/1)

  defp strategy(text) do
    case Lockstep.Options.Type.parse_strategy(text) do
      {:ok, strategy} -> strategy
      {:error, expected} -> Mix.raise("--strategy #{text}: #{expected}")
    end
  end

  defp programs(names) do
    case Gallery.Library.load(names) do
      {:ok, programs} -> programs
      {:error, name} -> Mix.raise("no program #{name}; there are #{Enum.join(Gallery.Library.names(), ", ")}")
    end
  end

  defp row(program, strategies, sweeps, runs, twins) do
    found = for strategy <- strategies, do: {strategy, summary(program, strategy, sweeps, runs)}
    row = %{program: program, found: found, twin: twin(program, hd(strategies), twins)}
    Mix.shell().info(Gallery.Table.row(row))
    row
  end

  defp summary(program, strategy, sweeps, runs) do
    program |> Gallery.Search.sweeps(strategy, sweeps, runs) |> Gallery.Search.summary()
  end

  defp twin(_program, _strategy, nil), do: nil

  defp twin(program, strategy, runs) do
    with {:failed, failure} <- Gallery.Search.twin(program, strategy, runs) do
      complain(program, failure)
      :failed
    else
      :ok -> runs
    end
  end
end
