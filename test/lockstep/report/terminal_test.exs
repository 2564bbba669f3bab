defmodule Lockstep.Report.TerminalTest do
  # Changes the configuration of ExUnit.
  use ExUnit.Case, async: false

  import ExUnit.CaptureIO

  alias Lockstep.{Failure, Report, Summary}

  setup do
    colors = ExUnit.configuration()[:colors]
    on_exit(fn -> ExUnit.configure(colors: colors) end)
  end

  defp report do
    event = %{step: 1, time: 0, process: 0, node: :n, kind: :send, text: "send :hi to x", object: 1, detail: 9}
    process = %{id: 0, node: :nonode@nohost, label: "main", service?: false}

    Report.format(
      %Failure{
        seed: 1,
        run: 1,
        strategy: :random,
        error: {:crash, :error, %RuntimeError{message: "boom"}, []},
        result: %{steps: 1, virtual_ms: 0, escapes: [], output: [], processes: [process], events: [event]},
        summary: %Summary{runs: 1, total: 1},
        replay: "LOCKSTEP_SEED=1 mix test"
      },
      80
    )
  end

  test "colour is for terminals that have it" do
    ExUnit.configure(colors: [enabled: true])
    coloured = report()
    assert coloured =~ "\e[1mstep | main"
    assert coloured =~ ~r/\e\[31m +\| fails here/

    ExUnit.configure(colors: [enabled: false])
    refute report() =~ "\e"
    assert report() == String.replace(coloured, ~r/\e\[[0-9;]*m/, "")
  end

  test "nothing is coloured when it is piped" do
    script = ~S"""
    Application.load(:ex_unit)
    IO.puts(Lockstep.Report.Colour.paint(:red, "plain"))
    IO.puts(Lockstep.Runner.Terminal.text_width())
    """

    mix = System.find_executable("mix")
    environment = [{"MIX_ENV", "test"}, {"TERM", "xterm-256color"}]
    assert {"plain\n95\n", 0} = System.cmd(mix, ["run", "--no-compile", "--no-start", "-e", script], env: environment)
  end

  describe "a failure in a setup callback" do
    test "is told as any other" do
      ExUnit.configure(colors: [enabled: false])

      defmodule FailingSetup do
        use Lockstep.Case

        setup do
          {:ok, agent} = Agent.start_link(fn -> 17 end)
          if Agent.get(agent, & &1) == 17, do: raise("not set up")
          :ok
        end

        @tag lockstep: [seed: 1, strategy: :random]
        test "does not begin", do: :ok
      end

      output = capture_io(fn -> assert %{failures: 1} = ExUnit.run() end)
      assert output =~ "** (RuntimeError) not set up"
      assert output =~ ~r/call \{:get, fn.*\} to/
      assert output =~ ~r/\| fails here .*terminal_test\.exs:\d+/

      assert output =~
               ~r/LOCKSTEP_SEED=1 LOCKSTEP_STRATEGY=random mix test test\/lockstep\/report\/terminal_test.exs:\d+\n/
    end
  end
end
