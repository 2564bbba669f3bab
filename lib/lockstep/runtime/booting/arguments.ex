defmodule Lockstep.Runtime.Booting.Arguments do
  @moduledoc false
  # The command line of a VM that a program starts: what of it a simulated node can follow.

  defstruct environment: [], connect_all: true, hidden: false, cookie: nil

  @type t :: %__MODULE__{
          environment: [{app :: atom(), key :: atom(), value :: term()}],
          connect_all: boolean(),
          hidden: boolean(),
          cookie: atom() | nil
        }

  # They say where code is, or how the real VM runs. All nodes have the code of the one VM.
  @harmless ~w(-detached -heart -mode -noinput -noshell -pa -path -pz -smp)

  @doc "Reads the words of a command line; an `ArgumentError` for what a simulated node cannot follow."
  @spec read([String.t()]) :: t()
  def read(words) do
    words |> groups() |> Enum.reduce(%__MODULE__{}, &add/2)
  end

  # Each flag with its values.
  defp groups([]), do: []

  defp groups([flag | words]) do
    {values, rest} = Enum.split_while(words, &(not flag?(&1)))
    [{flag, values} | groups(rest)]
  end

  defp flag?(word), do: word =~ ~r/^[-+][a-zA-Z]/

  defp add({"+" <> _emulator, _values}, arguments), do: arguments
  defp add({flag, _values}, arguments) when flag in @harmless, do: arguments
  defp add({"-hidden", []}, arguments), do: %{arguments | hidden: true}
  defp add({"-connect_all", ["false"]}, arguments), do: %{arguments | connect_all: false}
  defp add({"-connect_all", _true}, arguments), do: %{arguments | connect_all: true}
  defp add({"-setcookie", [cookie]}, arguments), do: %{arguments | cookie: String.to_atom(cookie)}

  defp add({"-" <> app, [_, _ | _] = values} = group, arguments) do
    environment = values |> Enum.chunk_every(2) |> Enum.map(&setting(app, &1, group))
    %{arguments | environment: arguments.environment ++ environment}
  end

  defp add(group, _arguments), do: refuse(group)

  defp setting(app, [key, text], group) do
    with {:ok, tokens, _} <- :erl_scan.string(String.to_charlist(text <> ".")),
         {:ok, value} <- :erl_parse.parse_term(tokens) do
      {String.to_atom(app), String.to_atom(key), value}
    else
      _ -> refuse(group)
    end
  end

  defp setting(_app, _odd, group), do: refuse(group)

  defp refuse({flag, values}) do
    raise ArgumentError,
          "a simulated node cannot be started with #{Enum.join([flag | values], " ")}; it takes -connect_all false, " <>
            "-hidden, -setcookie, and -application key value; start the rest with Lockstep.Cluster.run/2"
  end
end
