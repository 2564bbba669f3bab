defmodule Gallery.LateReply do
  use Gallery.Program,
    kind: :time,
    bug: "the answer to a question that was given up is taken for that to the next one"

  def buggy, do: ask_twice(fn -> :price end)
  def fixed, do: ask_twice(&make_ref/0)

  # The second question leaves more than enough time.
  defp ask_twice(tag) do
    shop = spawn_link(&serve/0)
    ask(shop, :tea, tag.(), 50)
    assert ask(shop, :milk, tag.(), 60_000) == {:price_of, :milk}
  end

  defp ask(shop, item, tag, patience) do
    send(shop, {self(), tag, item})

    receive do
      {^tag, price} -> price
    after
      patience -> :unknown
    end
  end

  defp serve do
    receive do: ({client, tag, item} -> send(client, {tag, {:price_of, item}}))
    serve()
  end
end
