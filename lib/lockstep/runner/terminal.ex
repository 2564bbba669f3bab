defmodule Lockstep.Runner.Terminal do
  @moduledoc false
  # What is known about where the output goes.
  #
  # Under `mix`, `:io.columns/0` knows nothing before OTP 26 even on a terminal, so the terminal is then asked itself.

  @default_width 100
  @min_width 60
  # ExUnit indents the message of a failure by this much.
  @indentation 5

  @doc "Whether a person is watching: the output is a terminal that understands a line being rewritten."
  @spec interactive?() :: boolean()
  def interactive?, do: IO.ANSI.enabled?() and columns() != nil

  @doc "Columns of the terminal, or a width that reads well in a log."
  @spec width() :: pos_integer()
  def width, do: max(columns() || @default_width, @min_width)

  @doc "Columns for a text that is shown indented."
  @spec text_width() :: pos_integer()
  def text_width, do: width() - @indentation

  defp columns do
    case :io.columns() do
      {:ok, columns} -> columns
      _ -> if Process.group_leader() == Process.whereis(:user), do: columns_of_device()
    end
  end

  defp columns_of_device do
    with {:ok, "/dev/" <> _ = device} <- File.read_link("/proc/self/fd/1"),
         true <- String.starts_with?(device, ["/dev/pts/", "/dev/tty"]),
         {text, 0} <- System.cmd("stty", ["-F", device, "size"], stderr_to_stdout: true),
         [_rows, columns] <- String.split(text),
         {columns, ""} when columns > 0 <- Integer.parse(columns) do
      columns
    else
      _ -> nil
    end
  rescue
    # There is no `stty`.
    ErlangError -> nil
  end
end
