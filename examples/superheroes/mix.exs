defmodule Superheroes.MixProject do
  use Mix.Project

  def project do
    [
      app: :superheroes,
      version: "0.1.0",
      elixir: "~> 1.14",
      # Only to save time: the examples share one build of Lockstep, and its Rust part with Lockstep itself.
      build_path: "../../_build",
      build_per_environment: false,
      deps: [{:lockstep, path: "../..", only: :test}]
    ]
  end

  def application do
    [
      extra_applications: [:logger],
      mod: {Superheroes.Application, []},
      env: [city: nil, cities: [], nodes: [], roster: Superheroes.Roster.Seconds, silence: :crash]
    ]
  end
end
