defmodule ServerTest do
  use ExUnit.Case, async: true

  alias UserCache.Server

  test "what was put can be read" do
    :ok = UserCache.put(:ann, "Ann")
    assert UserCache.get(:ann) == "Ann"
    assert UserCache.get(:bob) == nil
    assert UserCache.all()[:ann] == "Ann"
  end

  test "the version with the greater stamp stays, in whatever order they come" do
    versions = [
      {:eve, {1, :"b@127.0.0.1"}, "Eva"},
      {:eve, {2, :"a@127.0.0.1"}, "Eve"},
      {:eve, {2, :"b@127.0.0.1"}, "Evi"}
    ]

    for {order, id} <- Enum.with_index([[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]]) do
      for index <- order, do: GenServer.cast(Server, {:row, put_elem(Enum.at(versions, index), 0, id)})
      :sys.get_state(Server)
      assert UserCache.get(id) == "Evi"
    end
  end
end
