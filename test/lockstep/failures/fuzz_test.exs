defmodule Lockstep.Failures.FuzzTest do
  # Atoms are counted: nothing else may make some meanwhile.
  use Lockstep.Case, async: false

  alias Lockstep.{Failures, Runner}
  alias Lockstep.Failures.{Format, Stored}

  @moduletag :tmp_dir
  @moduletag timeout: 300_000
  @mutations 10_000

  def fails do
    task = Task.async(fn -> send(self(), :hello) end)
    Task.await(task)
    raise "on purpose"
  end

  defp stored(dir) do
    options = [seeds: 3, failures: dir, nodes: [:a, :b], faults: [crash: [max: 1], latency: 0..5]]
    {:failed, failure} = Runner.explore(&__MODULE__.fails/0, options)
    File.read!(failure.file)
  end

  test "#{@mutations} mutations of stored files are read without a crash and without a new atom", %{tmp_dir: dir} do
    :rand.seed(:exsss, {1, 2, 3})
    compressed = stored(dir)
    map = :erlang.binary_to_term(compressed)
    # Behind the compression, whose checksum would catch nearly everything.
    plain = :erlang.term_to_binary(map, [:deterministic])
    sources = [compressed, plain, plain, map["trace"]]
    for source <- sources, do: assert(match?({kind, _} when kind != :error, drop(Format.open(source))))
    mutated = for number <- 1..@mutations, do: mutate(Enum.at(sources, rem(number, 4)), rem(div(number, 4), 10), map)
    warm_up(mutated)

    atoms = :erlang.system_info(:atom_count)
    results = Enum.map(mutated, &Format.open/1)
    assert :erlang.system_info(:atom_count) == atoms

    for result <- results do
      case result do
        {:failure, %Stored{}, trace} -> assert trace == nil or is_list(trace.events)
        {:trace, trace} -> assert is_list(trace.events)
        {:error, text} -> assert String.printable?(text) and String.length(text) < 200 and not (text =~ "\n")
      end
    end

    kinds = Enum.frequencies_by(results, &elem(&1, 0))
    # The mutations reach what they are to reach.
    assert kinds.error > @mutations / 2
    assert kinds.failure > 100
    texts = for({:error, text} <- results, do: text) |> Enum.uniq()

    for part <- ~w(damaged foreign version field option trace),
        do: assert(Enum.any?(texts, &(&1 =~ part(part))), part)
  end

  defp drop({:failure, stored, _trace}), do: {:failure, stored}
  defp drop(other), do: other

  defp part("foreign"), do: "is not a failure stored"
  defp part("damaged"), do: "damaged or cut short"
  defp part("field"), do: "its field"
  defp part("option"), do: "its option"
  defp part("trace"), do: "damaged trace"
  defp part(part), do: part

  # What is loaded when it is first needed makes atoms once.
  defp warm_up(mutated), do: mutated |> Enum.take(40) |> Enum.each(&Format.open/1)

  # A bit, a byte, a few bytes, the end, some bytes more, some swapped, lengths, a foreign term, a field, an option.
  defp mutate(bytes, 0, _map), do: change(bytes, 1, &Bitwise.bxor(&1, Bitwise.bsl(1, :rand.uniform(8) - 1)))
  defp mutate(bytes, 1, _map), do: change(bytes, 1, fn _ -> :rand.uniform(256) - 1 end)
  defp mutate(bytes, 2, _map), do: change(bytes, 8, fn _ -> :rand.uniform(256) - 1 end)
  defp mutate(bytes, 3, _map), do: binary_part(bytes, 0, :rand.uniform(byte_size(bytes)) - 1)
  defp mutate(bytes, 4, _map), do: insert(bytes, :rand.bytes(:rand.uniform(20)))
  defp mutate(bytes, 5, _map), do: swap(bytes)
  defp mutate(bytes, 6, _map), do: overwrite(bytes, <<0xFFFF_FFFF::32>>)
  defp mutate(bytes, 7, _map), do: insert(bytes, foreign())

  defp mutate(_bytes, 8, map) do
    key = map |> Map.keys() |> Enum.random()
    map |> Map.put(key, odd(map[key])) |> :erlang.term_to_binary()
  end

  defp mutate(_bytes, 9, map) do
    key = map["options"] |> Map.keys() |> Enum.random()
    map |> put_in(["options", key], odd(map["options"][key])) |> :erlang.term_to_binary()
  end

  defp change(bytes, count, change) do
    Enum.reduce(1..count, bytes, fn _, bytes ->
      at = :rand.uniform(byte_size(bytes)) - 1
      <<before::binary-size(at), byte, rest::binary>> = bytes
      before <> <<change.(byte)>> <> rest
    end)
  end

  defp insert(bytes, more) do
    at = :rand.uniform(byte_size(bytes)) - 1
    binary_part(bytes, 0, at) <> more <> binary_part(bytes, at, byte_size(bytes) - at)
  end

  defp overwrite(bytes, with) do
    at = :rand.uniform(byte_size(bytes) - byte_size(with)) - 1
    rest = at + byte_size(with)
    binary_part(bytes, 0, at) <> with <> binary_part(bytes, rest, byte_size(bytes) - rest)
  end

  defp swap(bytes) do
    size = :rand.uniform(20)
    [one, other] = Enum.sort([:rand.uniform(byte_size(bytes) - size) - 1, :rand.uniform(byte_size(bytes) - size) - 1])
    first = binary_part(bytes, one, size)
    bytes |> replace(one, binary_part(bytes, other, size)) |> replace(other, first)
  end

  defp replace(bytes, at, with) do
    rest = at + byte_size(with)
    binary_part(bytes, 0, at) <> with <> binary_part(bytes, rest, byte_size(bytes) - rest)
  end

  # Terms as they stand in a file: atoms that do not exist, functions, a pid of elsewhere, numbers without end.
  defp foreign do
    Enum.random([
      atom("lockstep_no_such_atom_#{:rand.uniform(1_000_000)}"),
      <<113>> <> atom("no_such_module_#{:rand.uniform(1_000_000)}") <> atom("f") <> <<97, 1>>,
      <<88>> <> atom("no@where_#{:rand.uniform(1_000_000)}") <> <<1::32, 2::32, 3::32>>,
      <<111, 0xFFFF_FFFF::32, 0>>,
      <<108, 0xFFFF_FFFF::32>>,
      <<116, 0xFFFF_FFFF::32>>,
      <<109, 0xFFFF_FFFF::32>>,
      <<80, 0xFFFF_FFFF::32>>
    ])
  end

  defp atom(name), do: <<119, byte_size(name)>> <> name

  defp odd(value) do
    Enum.random([
      nil,
      -1,
      0,
      :ok,
      "",
      "later",
      <<255>>,
      [value | value],
      [value],
      %{},
      %{"a" => value},
      {value},
      1.5,
      Bitwise.bsl(1, 70),
      self(),
      [["crash", [["max", -1]]]],
      [["latency", [5, 1]]],
      ["", 1],
      List.duplicate("n", 2_000)
    ])
  end

  test "what would take much memory is refused before it is made" do
    gigabytes = <<131, 80, 0xFFFF_FFFF::32>> <> :zlib.compress(:binary.copy(<<0>>, 1_000_000))
    assert Format.open(gigabytes) == {:error, "is larger than any failure that Lockstep stores"}
    zeros = :binary.copy(<<0>>, Lockstep.SafeTerm.max_bytes())
    bomb = :erlang.term_to_binary(zeros, compressed: 9)
    assert byte_size(bomb) < 100_000
    assert Format.open(bomb) == {:error, "is larger than any failure that Lockstep stores"}
    # One that says less than it holds is not inflated beyond what it says.
    <<131, 80, _size::32, rest::binary>> = bomb
    before = :erlang.memory(:total)
    assert Format.open(<<131, 80, 1_000::32, rest::binary>>) == {:error, "is damaged or cut short"}
    assert :erlang.memory(:total) - before < 10_000_000
  end

  test "a file larger than any that is stored is not read at all", %{tmp_dir: dir} do
    file = Path.join(dir, "large.failure")
    {:ok, device} = File.open(file, [:write])
    {:ok, _} = :file.position(device, Lockstep.SafeTerm.max_bytes() + 1)
    :ok = :file.truncate(device)
    File.close(device)
    assert {:error, text} = Failures.read(file)
    assert text == "#{file} is too large: it has more than 32 MiB"
  end
end
