Code.require_file("../../example.exs", __DIR__)

defmodule MultinodeDeterminismTest do
  use ExUnit.Case, async: true

  @moduletag :tmp_dir
  @moduletag timeout: 600_000

  test "traces are byte-identical in two processes of the operating system", %{tmp_dir: tmp} do
    Example.assert_same_traces(tmp)
  end
end
