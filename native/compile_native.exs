defmodule Mix.Tasks.Compile.LockstepNative do
  @moduledoc false
  # Builds the Rust core and installs it as priv/native/lockstep.so.
  #
  # It lives outside `lib`: the task has to exist before `lib` is compiled. Cargo decides, every time, whether
  # anything is stale; a build with nothing to do costs a tenth of a second.
  use Mix.Task.Compiler

  @root Path.expand("..", __DIR__)
  @package "lockstep_nif"
  @library "lockstep.so"

  @impl true
  def run(_args) do
    cargo = System.get_env("CARGO") || System.find_executable("cargo") || Mix.raise(no_cargo())

    case System.cmd(cargo, arguments(), cd: @root, into: IO.stream(:stdio, :line), stderr_to_stdout: true) do
      {_, 0} -> install()
      {_, status} -> {:error, [diagnostic("cargo build failed with status #{status}; its own message is above")]}
    end
  end

  @impl true
  def manifests, do: [installed()]

  @impl true
  def clean do
    File.rm(installed())
    File.rm_rf(target())
    :ok
  end

  defp arguments do
    ~w(build --profile dist --locked --quiet --package #{@package} --target-dir) ++ [target()]
  end

  # Replaced by rename: writing into a library that a running VM has mapped corrupts that VM.
  defp install do
    built = File.read!(Path.join([target(), "dist", built_name()]))

    if File.read(installed()) == {:ok, built} do
      {:noop, []}
    else
      temporary = installed() <> ".#{System.pid()}"
      File.mkdir_p!(Path.dirname(installed()))
      File.write!(temporary, built)
      File.rename!(temporary, installed())
      {:ok, []}
    end
  end

  # The Erlang VM looks for `.so` on macOS as well, whatever cargo calls its output.
  defp built_name do
    case :os.type() do
      {:unix, :darwin} -> "lib#{@package}.dylib"
      {:win32, _} -> "#{@package}.dll"
      _ -> "lib#{@package}.so"
    end
  end

  defp installed, do: Path.join([Mix.Project.app_path(), "priv", "native", @library])
  defp target, do: Path.expand(Path.join(Mix.Project.build_path(), "../lockstep_native"))

  defp diagnostic(message) do
    %Mix.Task.Compiler.Diagnostic{
      compiler_name: "lockstep_native",
      file: Path.join(@root, "native/#{@package}/src/lib.rs"),
      message: message,
      position: 0,
      severity: :error
    }
  end

  defp no_cargo do
    "cargo was not found, and Lockstep's core is written in Rust. Install Rust 1.85 or later " <>
      "(Debian 13: `apt-get install cargo`; elsewhere: https://rustup.rs), or set CARGO to the path of cargo; " <>
      "`bin/setup` does it on Debian."
  end
end
