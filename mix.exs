Code.require_file("native/compile_native.exs", __DIR__)

defmodule Lockstep.MixProject do
  use Mix.Project

  @version "0.1.0"

  def project do
    [
      app: :lockstep,
      version: @version,
      elixir: "~> 1.14",
      compilers: [:lockstep_native] ++ Mix.compilers(),
      elixirc_paths: elixirc_paths(Mix.env()),
      start_permanent: false,
      # PropEr is for the tests alone, and no dependency: newer releases of Mix would hide it.
      prune_code_paths: Mix.env() != :test,
      xref: [exclude: [:proper_gen, :proper_types, :mnesia]],
      description: "Deterministic testing of real, unmodified BEAM code on a simulated cluster",
      package: package(),
      deps: []
    ]
  end

  def application do
    [extra_applications: [:compiler, :crypto, :logger], mod: {Lockstep.Application, []}]
  end

  defp elixirc_paths(:test), do: ["lib", "test/support", "test/oracle"]
  defp elixirc_paths(_), do: ["lib"]

  defp package do
    [
      licenses: ["Apache-2.0"],
      files: ~w(lib native Cargo.toml Cargo.lock clippy.toml mix.exs .formatter.exs
                README.md CHANGELOG.md LICENSE)
    ]
  end
end
