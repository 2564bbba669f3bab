defmodule Lockstep.Report.StoryTest do
  use ExUnit.Case, async: true

  alias Lockstep.{Failure, Report, Summary}
  alias Lockstep.Report.Width

  @processes [
    %{id: 0, node: :nonode@nohost, label: "main", service?: false},
    %{id: 1, node: :a, label: "Replica", service?: false},
    %{id: 2, node: :b, label: "Replica", service?: false},
    %{id: 3, node: :b, label: nil, service?: false}
  ]

  @replay "LOCKSTEP_SEED=1 mix test"

  # `{process, kind, text, object, detail}` or with `place` and `time` in a map behind it.
  defp failure(events, changes \\ %{}) do
    {result, changes} = Map.pop(changes, :result, %{})

    result =
      Map.merge(
        %{steps: 9, virtual_ms: 0, escapes: [], output: [], processes: @processes, events: events(events)},
        result
      )

    Map.merge(
      %Failure{
        seed: 1,
        run: 1,
        strategy: :random,
        error: {:crash, :error, %RuntimeError{message: "boom"}, []},
        result: result,
        summary: %Summary{runs: 1, total: 1},
        replay: @replay
      },
      changes
    )
  end

  defp events(events) do
    for {event, step} <- Enum.with_index(events, 1) do
      {event, more} = if tuple_size(event) == 6, do: {Tuple.delete_at(event, 5), elem(event, 5)}, else: {event, %{}}
      {process, kind, text, object, detail} = event

      Map.merge(
        %{
          step: step,
          time: 0,
          process: process,
          node: :n,
          kind: kind,
          text: text,
          object: object,
          detail: detail,
          place: nil
        },
        more
      )
    end
  end

  defp story(failure, width) do
    [_, after_error] = failure |> Report.format(width) |> plain() |> String.split("** (RuntimeError) boom\n\n")
    after_error |> String.split("\n\nseed 1, run 1 of 1") |> hd()
  end

  defp plain(text), do: String.replace(text, ~r/\e\[[0-9;]*m/, "")

  defp put(value),
    do: [
      {1, :send, "send {:put, #{value}} to #PID<0.3.7169>", 1, 2, %{place: {"lib/a.ex", 7}}},
      {2, :deliver, "deliver: send {:put, #{value}} to #PID<0.3.7169>", 1, 1, %{time: 1500}},
      {2, :receive, "receive {:put, #{value}}", 1, 0, %{time: 1500, place: {"lib/b.ex", 8}}},
      {2, :send, "send :stored to #PID<0.1.7168>", 2, 0, %{time: 1500}},
      {0, :deliver, "deliver: send :stored to #PID<0.1.7168>", 2, 2, %{time: 1500}},
      {0, :receive, "receive :stored", 1, 0, %{time: 1500}}
    ]

  test "the processes stand under their nodes, the places beside what they did" do
    lines = failure(put(":x")) |> story(100) |> String.split("\n")
    assert [nodes, header, _rule, put, receive, stored, got, fails] = lines
    assert nodes =~ ~r/^ +\| +\| a +\| b$/
    assert header =~ ~r/^step  ms \| main +\| Replica +\| Replica$/
    assert put =~ ~r/^   1   0 \| +\| send \{:put, :x\} to b:Replica \| +a\.ex:7$/
    assert receive =~ ~r/^   3 1\.5 \| +\| +\| receive \{:put, :x\} +b\.ex:8$/
    assert stored =~ ~r/^   4     \| +\| +\| send :stored to main$/
    assert got =~ ~r/^   6     \| receive :stored +\| +\|$/
    assert fails =~ ~r/^         \| fails here +\| +\|$/

    # The columns of a process begin where its node does.
    assert :binary.match(nodes, "a  ") |> elem(0) == :binary.match(header, "Replica") |> elem(0)
  end

  test "no line is wider than asked for, whatever is in it" do
    payloads = [
      ":x",
      "\"" <> String.duplicate("日本", 300) <> "\"",
      String.duplicate("word ", 500),
      "\"" <> String.duplicate("é", 5_000) <> "\"",
      "\"🦀 in\\nlines\""
    ]

    for payload <- payloads, width <- [60, 75, 80, 95, 120, 155, 160, 300] do
      text = failure(put(payload)) |> Report.format(width) |> plain()
      for line <- String.split(text, "\n"), line != "  " <> @replay, do: assert(Width.of(line) <= width)
      assert length(String.split(text, "\n")) < 60
    end
  end

  test "at 75 columns it is a list if the table would break everything" do
    text = story(failure(put("{:a, %{long: [:payload, :that, :breaks, :columns]}}")), 75)
    assert text =~ ~r/^step  ms \| process\n-+\+-+\+-+\n   1   0 \| a:Replica \| send \{:put, /
    assert text =~ "[a.ex:7]"
    assert text =~ "\n   3 1.5 | b:Replica | receive"
  end

  test "without any place there is none" do
    events =
      for event <- put(":x"),
          do: if(tuple_size(event) == 6, do: put_elem(event, 5, Map.put(elem(event, 5), :place, nil)), else: event)

    refute story(failure(events), 160) =~ ".ex"
    refute story(failure(events), 75) =~ "["
  end

  test "without time passing none is shown" do
    assert story(failure([{0, :send, "send :a to b", 1, 0}]), 100) =~ ~r/^step \| main +\n|^step \| main\n/
  end

  describe "the shrunk run" do
    defp shrunk(events, pair) do
      events = events(events)
      pair = if pair, do: pair |> Tuple.to_list() |> Enum.map(&Enum.at(events, &1 - 1)) |> List.to_tuple()

      %{
        result: %{
          outcome: {:error, {:crash, :error, %RuntimeError{message: "boom"}, []}},
          events: events,
          processes: @processes,
          output: [],
          escapes: [],
          steps: 6,
          virtual_ms: 1
        },
        pair: pair,
        stacks: %{1 => [{Replica, :put, 2, [file: ~c"lib/a.ex", line: 7]}, {Lockstep.Runtime.Message, :send, 2, []}]},
        replays: 312,
        before: %{faults: 2, stalls: 4, switches: 21, steps: 90},
        after: %{faults: 1, stalls: 0, switches: 3, steps: 6}
      }
    end

    defp shrunk_failure(pair),
      do: Map.put(failure([{0, :send, "send :original to x", 1, 5}]), :shrunk, shrunk(put(":x"), pair))

    test "is the one that is told" do
      text = shrunk_failure(nil) |> Report.format(100) |> plain()
      assert text =~ "receive :stored"
      refute text =~ "original"

      assert String.replace(text, "\n", " ") =~
               "shown is its schedule shrunk from 2 faults, 4 stalls, 21 switches, 90 steps to 1 fault, 3 switches, 6 steps (312 replays)"

      refute text =~ "what decides"
    end

    test "has the pair that decides, with its stacks, and marks it" do
      text = shrunk_failure({1, 3}) |> Report.format(100) |> plain()

      assert text =~ """
             what decides: step 1 comes before step 3; the other way round the run passes

               step 1, a:Replica: send {:put, :x} to b:Replica
                 lib/a.ex:7: Replica.put/2

               step 3, b:Replica: receive {:put, :x}
                 b.ex:8
             """

      assert text =~ ~r/\n>    1   0 \| /
      assert text =~ ~r/\n>    3 1\.5 \| /
      assert text =~ ~r/\n     4     \| /

      assert Enum.sort_by(
               ["** (RuntimeError)", "what decides", "step  ms", "seed 1, run", "replay with"],
               &:binary.match(text, &1)
             ) == ["** (RuntimeError)", "what decides", "step  ms", "seed 1, run", "replay with"]
    end

    test "shows the two also where they would not have been shown" do
      noise = for n <- 1..200, do: {0, :send, "send #{n} to x", n + 10, 5}
      failure = Map.put(failure([]), :shrunk, shrunk([{3, :access, "ets.new(:t, []) = :t", 0, 1} | noise], {1, 2}))
      assert failure |> Report.format(155) |> plain() =~ ~r/\n>    1 \|.*ets.new/
    end
  end

  describe "json/1" do
    test "has the same facts" do
      {:ok, json} = shrunk_failure({1, 3}) |> Report.json() |> JsonReader.parse()

      assert %{"version" => 1, "seed" => 1, "strategy" => "random", "replay" => @replay, "deterministic" => true} =
               json

      assert %{"kind" => "error", "type" => "RuntimeError", "message" => "** (RuntimeError) boom"} = json["error"]
      assert %{"replays" => 312, "after" => %{"switches" => 3}} = json["shrunk"]

      assert [
               %{"step" => 1, "stacktrace" => [%{"file" => "lib/a.ex", "line" => 7, "function" => "Replica.put/2"}]},
               %{"step" => 3}
             ] = json["decides"]

      assert Enum.map(json["story"], & &1["step"]) == [1, 2, 3, 4, 5, 6]

      assert %{
               "text" => "send {:put, :x} to b:Replica",
               "file" => "lib/a.ex",
               "line" => 7,
               "decides" => true,
               "kind" => "send",
               "process" => 1
             } = hd(json["story"])

      assert %{"id" => 1, "name" => "a:Replica", "node" => "a"} = Enum.find(json["processes"], &(&1["id"] == 1))
      assert json["left_out"] == %{"earlier" => 0, "unrelated" => 0}
    end

    test "has every field also where there is nothing to say" do
      {:ok, full} = shrunk_failure({1, 3}) |> Report.json() |> JsonReader.parse()
      {:ok, empty} = failure([]) |> Report.json() |> JsonReader.parse()
      assert Map.keys(full) == Map.keys(empty)
      assert %{"shrunk" => nil, "decides" => [], "story" => [], "waits" => [], "cycle" => nil} = empty
    end
  end
end
