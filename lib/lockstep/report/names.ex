defmodule Lockstep.Report.Names do
  @moduledoc false
  # Short names of processes: `main`, `b:Replica`; the id is added where a name alone would be ambiguous.

  @control :nonode@nohost
  @long 16

  @typedoc "Of processes by their ids and printed addresses; what references stand for (`Lockstep.Report.References`)."
  @type names :: %{optional(non_neg_integer() | String.t() | {:call, String.t()}) => String.t()}

  @doc """
  The name of every process.

  ## Examples

      iex> Lockstep.Report.Names.build([
      ...>   %{id: 0, node: :nonode@nohost, label: "main"},
      ...>   %{id: 1, node: :b, label: "Replica"},
      ...>   %{id: 2, node: :b, label: "Task"},
      ...>   %{id: 3, node: :b, label: "Task"}
      ...> ])
      %{0 => "main", 1 => "b:Replica", 2 => "b:Task#2", 3 => "b:Task#3"}

  """
  @spec build([map()]) :: names()
  def build(processes) do
    processes = shortened(processes)
    uses = Enum.frequencies_by(processes, &of/1)

    Map.new(processes, fn process ->
      name = of(process)
      {process.id, if(uses[name] > 1, do: "#{name}##{process.id}", else: name)}
    end)
  end

  # Of a long name of a module the last part is enough, unless two end in the same.
  defp shortened(processes) do
    ends = processes |> Enum.map(& &1.label) |> Enum.uniq() |> Enum.frequencies_by(&last/1)

    Enum.map(processes, fn %{label: label} = process ->
      if label != nil and String.length(label) > @long and ends[last(label)] == 1,
        do: %{process | label: last(label)},
        else: process
    end)
  end

  defp last(nil), do: nil
  defp last(label), do: if(label =~ ~r/^[A-Z][\w.]*$/, do: label |> String.split(".") |> List.last(), else: label)

  @doc "The name of one process on its own."
  @spec of(map() | nil) :: String.t()
  def of(nil), do: "a process"
  def of(%{node: node} = process) when node in [nil, @control], do: label(process)
  def of(process), do: "#{short(process.node)}:#{label(process)}"

  @doc "The name of a node without its host."
  @spec short(node() | String.t()) :: String.t()
  def short(node), do: node |> to_string() |> String.split("@") |> hd()

  @doc """
  A name that fits into so many columns if leaving out the first parts of a module's name helps.

  ## Examples

      iex> Lockstep.Report.Names.fit("b:MyApp.Cache.Server", 12)
      "b:Server"

      iex> Lockstep.Report.Names.fit("b:MyApp.Cache.Server", 20)
      "b:MyApp.Cache.Server"

  """
  @spec fit(String.t(), pos_integer()) :: String.t()
  def fit(name, width) do
    shorter = Regex.replace(~r/^([^:]*:)?[A-Z]\w*\./, name, "\\1")
    if String.length(name) <= width or shorter == name, do: name, else: fit(shorter, width)
  end

  @doc "For each printed address by name and node the name of the process that it reaches."
  @spec addresses([map()]) :: names()
  def addresses(processes) do
    names = build(processes)

    for %{label: label, id: id, node: node} <- processes,
        label,
        into: %{},
        do: {"{#{label}, #{inspect(node)}}", names[id]}
  end

  @doc "The name of the process that an event belongs to, or of the node where it belongs to none."
  @spec actor(map(), names()) :: String.t()
  def actor(%{process: nil, node: nil}, _names), do: "cluster"
  def actor(%{process: nil, node: node}, _names), do: "node #{node}"
  def actor(%{process: id}, names), do: Map.get(names, id, "process #{id}")

  defp label(%{label: label}) when label not in [nil, ""], do: label
  defp label(%{id: id}), do: "##{id}"
end
