defmodule PoolboyExample.MixProject do
  use Mix.Project

  def project do
    [
      app: :poolboy_example,
      version: "0.1.0",
      elixir: "~> 1.14",
      # Poolboy's own sources, as bin/fetch gets them from Debian.
      erlc_paths: ["poolboy/src"],
      erlc_options: [:debug_info],
      # Only to save time: the examples share one build of Lockstep, and its Rust part with Lockstep itself.
      build_path: "../../_build",
      build_per_environment: false,
      deps: [{:lockstep, path: "../..", only: :test}]
    ]
  end

  def application, do: []
end
