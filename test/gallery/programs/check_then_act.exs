defmodule Gallery.CheckThenAct do
  use Gallery.Program, kind: :atomicity, bug: "two guests ask whether a room is free, and both book it"

  defmodule Rooms do
    use GenServer

    def init(_), do: {:ok, %{}}
    def handle_call({:free?, room}, _from, booked), do: {:reply, not Map.has_key?(booked, room), booked}
    def handle_call({:book, room, guest}, _from, booked), do: {:reply, :booked, Map.put(booked, room, guest)}

    def handle_call({:book_if_free, room, guest}, _from, booked) do
      if Map.has_key?(booked, room),
        do: {:reply, :taken, booked},
        else: {:reply, :booked, Map.put(booked, room, guest)}
    end
  end

  def buggy do
    book(fn rooms, guest ->
      if GenServer.call(rooms, {:free?, 7}), do: GenServer.call(rooms, {:book, 7, guest}), else: :taken
    end)
  end

  def fixed, do: book(fn rooms, guest -> GenServer.call(rooms, {:book_if_free, 7, guest}) end)

  defp book(book) do
    {:ok, rooms} = GenServer.start_link(Rooms, nil)
    answers = together(for guest <- [:ada, :joe], do: fn -> book.(rooms, guest) end)
    assert Enum.sort(answers) == [:booked, :taken]
  end
end
