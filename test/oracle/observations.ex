defmodule Oracle.Observations do
  @moduledoc false
  # What real nodes showed: a file of Erlang terms for each OTP release, `{Title, Compare, [Observation]}`.

  @folder Path.join(__DIR__, "observations")

  @doc "The release of OTP that runs."
  def release, do: List.to_string(:erlang.system_info(:otp_release))

  @doc "The releases for which there are observations."
  def releases do
    for path <- Path.wildcard(Path.join(@folder, "otp-*.eterm")),
        do: path |> Path.basename(".eterm") |> String.slice(4..-1//1)
  end

  @doc "All observations of a release, by title; none if it was never recorded."
  def read(release) do
    case :file.consult(path(release)) do
      {:ok, terms} -> Map.new(terms, fn {title, _compare, observations} -> {title, observations} end)
      {:error, :enoent} -> %{}
    end
  end

  @doc "Writes the observations of scenarios, in their order."
  def write(release, scenarios, observations) do
    File.mkdir_p!(@folder)

    terms =
      for scenario <- scenarios, seen = observations[scenario.title] do
        :io_lib.format("~tp.~n~n", [{scenario.title, scenario.compare, seen}])
      end

    head =
      "%% What nodes of Erlang/OTP #{release} were seen to do: {Scenario, Compare, Observations}.\n%% Made by bin/oracle --record.\n\n"

    File.write!(path(release), [head | terms])
  end

  @doc "`:agrees`, `:differs` or `:unknown` (nothing was recorded)."
  def compare(_scenario, _observation, nil), do: :unknown
  def compare(%{compare: :exact}, observation, recorded), do: verdict(recorded == [observation])
  def compare(%{compare: :one_of}, observation, recorded), do: verdict(observation in recorded)
  def compare(%{compare: name, module: module}, observation, _), do: verdict(apply(module, name, [observation]))

  defp verdict(true), do: :agrees
  defp verdict(false), do: :differs

  @doc "What is recorded once these have been seen: where there are several, those of earlier times stay."
  def add(%{compare: :one_of}, recorded, seen), do: Enum.sort(Enum.uniq(seen ++ (recorded || [])))
  def add(_scenario, _recorded, seen), do: Enum.sort(Enum.uniq(seen))

  defp path(release), do: Path.join(@folder, "otp-#{release}.eterm")
end
