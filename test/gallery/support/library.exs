defmodule Gallery.Library do
  @moduledoc """
  The programs of the gallery, read from their files.
  """

  @programs Path.expand("../programs", __DIR__)

  @doc """
  The descriptions of the programs with these names, or of all; `{:error, name}` for one that there is not.

  Lockstep must have been started: a program is instrumented while it is compiled.
  """
  @spec load([String.t()]) :: {:ok, [map()]} | {:error, String.t()}
  def load(names \\ []) do
    all = names()

    case Enum.find(names, &(&1 not in all)) do
      nil -> {:ok, Enum.map(if(names == [], do: all, else: names), &program/1)}
      unknown -> {:error, unknown}
    end
  end

  @doc "The names of all programs, which are those of their files."
  @spec names() :: [String.t()]
  def names, do: @programs |> Path.join("*.exs") |> Path.wildcard() |> Enum.map(&Path.basename(&1, ".exs"))

  defp program(name) do
    Code.require_file(name <> ".exs", @programs)
    Module.concat(Gallery, Macro.camelize(name)).__gallery__()
  end
end
