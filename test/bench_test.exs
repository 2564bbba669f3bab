defmodule BenchTest do
  # Whether the scripts of bench/ run, each once and as small as they go. What they measure says nothing here.
  use ExUnit.Case, async: false

  import ExUnit.CaptureIO

  @bench Path.expand("../bench", __DIR__)
  @scripts ~w(gate processes call mailbox operations runs strategies length recording memory parallel)

  setup_all do
    file = Path.join(System.tmp_dir!(), "lockstep-bench-test-#{System.pid()}.tsv")
    System.put_env(%{"BENCH_QUICK" => "1", "BENCH_OUTPUT" => file})

    on_exit(fn ->
      for name <- ~w(BENCH_QUICK BENCH_OUTPUT), do: System.delete_env(name)
      File.rm(file)
    end)

    %{figures: file}
  end

  for script <- @scripts do
    test "#{script} prints a table", %{figures: file} do
      File.rm(file)
      output = capture_io(fn -> Code.require_file(unquote(script) <> ".exs", @bench) end)
      assert output =~ ~r/\d/
      for line <- lines(file), do: assert_figure(line, unquote(script))
    end
  end

  defp lines(file) do
    case File.read(file) do
      {:ok, text} -> String.split(text, "\n", trim: true)
      {:error, :enoent} -> []
    end
  end

  # As bench/compare reads it.
  defp assert_figure(line, script) do
    assert [^script, _figure, "ns", best, median, ratio, cpu] = String.split(line, "\t")
    for number <- [best, median, ratio], do: assert(String.to_float(number) >= 0)
    assert cpu == "-" or String.to_float(cpu) >= 0
  end
end
