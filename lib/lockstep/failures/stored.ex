defmodule Lockstep.Failures.Stored do
  @moduledoc """
  A failure as it is stored in a file: what is needed to replay it, and to show it without running anything.

    * `:lockstep` - the version of Lockstep that has written it
    * `:app` - the application of the project, or `nil` outside of a Mix project
    * `:test` - where the run was asked for: a map with `:file`, `:line`, `:module`, `:name` (both texts or `nil`) and
      `:call`, which call of the runner in the test it was, or `nil` for a test with a tag
    * `:seed`, `:run`, `:total` - the seed, and which run of how many it was
    * `:strategy` - the strategy, as text
    * `:options` - the options that the run depends on, as a keyword list; names of nodes are texts
    * `:choices` - the choice log
    * `:error` - a map with `:kind` (`"error"`, `"exit"`, `"throw"` or `"run"`), `:name` (of the exception, or `nil`), `:file`
      and `:line` (where it was raised, or `nil`) and `:text`
    * `:steps`, `:virtual_ms`
    * `:trace` - everything that happened, as `Lockstep.Trace` reads it; `nil` if that was too much to be stored
    * `:shrunk` - `nil` for the run that the sweep has found; for a smaller one that fails in the same way, a map with
      `:replays` (runs that took), `:before` and `:after` (maps of how many `:faults`, `:stalls`, `:switches` and `:steps`
      there are) and `:pair` (a map with the steps `:earlier` and `:later` of the two events whose order decides, or `nil`)
    * `:replay` - the line that runs the seed again
  """

  @enforce_keys ~w(lockstep app test seed run total strategy options choices error steps virtual_ms trace shrunk
                  replay)a
  defstruct @enforce_keys

  @type test :: %{
          file: String.t(),
          line: pos_integer(),
          module: String.t() | nil,
          name: String.t() | nil,
          call: pos_integer() | nil
        }
  @type error :: %{
          kind: String.t(),
          name: String.t() | nil,
          file: String.t() | nil,
          line: pos_integer() | nil,
          text: String.t()
        }
  @type counts :: %{
          faults: non_neg_integer(),
          stalls: non_neg_integer(),
          switches: non_neg_integer(),
          steps: non_neg_integer()
        }
  @type shrunk :: %{
          replays: non_neg_integer(),
          before: counts(),
          after: counts(),
          pair: %{earlier: pos_integer(), later: pos_integer()} | nil
        }
  @type t :: %__MODULE__{
          lockstep: String.t(),
          app: String.t() | nil,
          test: test() | nil,
          seed: non_neg_integer(),
          run: pos_integer(),
          total: pos_integer(),
          strategy: String.t(),
          options: keyword(),
          choices: [non_neg_integer()],
          error: error(),
          steps: non_neg_integer(),
          virtual_ms: non_neg_integer(),
          trace: binary() | nil,
          shrunk: shrunk() | nil,
          replay: String.t()
        }

  @doc """
  The test in words: its name and place.

  ## Examples

      iex> Lockstep.Failures.Stored.title(%{file: "test/a_test.exs", line: 3, module: "ATest", name: "test b", call: nil})
      "test b (test/a_test.exs:3)"

      iex> Lockstep.Failures.Stored.title(nil)
      "a run outside of any test"

  """
  @spec title(test() | nil) :: String.t()
  def title(nil), do: "a run outside of any test"
  def title(%{name: nil} = test), do: "the run at #{test.file}:#{test.line}"
  def title(test), do: "#{test.name} (#{test.file}:#{test.line})"

  @doc "The first line of the error's text."
  @spec headline(error()) :: String.t()
  def headline(error), do: error.text |> String.split("\n", parts: 2) |> hd() |> String.trim()
end
