defmodule Lockstep.Instrument.GuestTest do
  # Outside a simulation every call of the runtime is the plain operation, so a guest behaves as its original.
  use ExUnit.Case, async: true

  alias Lockstep.Instrument
  alias Lockstep.Instrument.Handler

  defmodule Counter do
    use GenServer

    def init(count), do: {:ok, count}
    def handle_call(:next, {pid, _}, count) when node(pid) == node(), do: {:reply, count, count + 1}
    def handle_call(:fail, _from, _count), do: raise("failed")
    def handle_cast({:add, n}, count), do: {:noreply, count + n, 50}
    def handle_info(:timeout, count), do: {:noreply, count + 100}
    def handle_info({:stop, to}, count), do: {:stop, :normal, send(to, {:stopped, count})}
  end

  defprotocol Size do
    def of(term)
  end

  defmodule Box do
    defstruct [:items]

    defimpl Size do
      def of(box), do: length(box.items)
    end
  end

  defmodule Uses do
    def size(items), do: Size.of(%Box{items: items})
    def unknown, do: Size.of(:atom)
    def own, do: {__MODULE__, %Box{}.__struct__, &__MODULE__.size/1}
    def pairs(left, right), do: for(l <- left, r <- right, into: %{}, do: {l, %{l: l, r: r}})
    def update(map), do: %{map | items: Map.put(%{b: 2}, :a, "#{inspect(map.items)}")}
    def binary(<<n::8, rest::binary-size(n), _::binary>>), do: rest <> <<n::16>>

    def checked(value) do
      with {:ok, n} <- value, true <- n > 1 || {:small, n} do
        n
      else
        {:small, n} -> -n
        :error -> raise KeyError, key: :n, term: value
      end
    rescue
      error in KeyError -> Exception.message(error)
    after
      send(self(), :checked)
    end
  end

  # In a process of their own, so that missing guests are made on the way. Processes that guests spawn outside of a run
  # have no such handler.
  defp in_guest(fun) do
    Code.ensure_loaded!(Handler)
    Enum.each([Access, Enum, Keyword, Map], &Instrument.load_guest!/1)

    Task.async(fn ->
      Process.flag(:error_handler, Handler)
      fun.()
    end)
    |> Task.await(:infinity)
  end

  defp idle, do: spawn_link(fn -> Process.sleep(:infinity) end)
  defp guest(module), do: Instrument.guest_name(module)

  describe "the guest of OTP's and Elixir's own modules" do
    test "are clients: GenServer, Agent, Task, Supervisor, DynamicSupervisor, Registry" do
      in_guest(fn ->
        {:ok, server} = guest(GenServer).start_link(Counter, 1)
        assert guest(GenServer).call(server, :next) == 1
        assert guest(GenServer).call(server, :next) == 2
        assert {:timeout, _} = catch_exit(guest(GenServer).call(idle(), :next, 10))
        {:ok, agent} = guest(Agent).start_link(fn -> 1 end)
        assert guest(Agent).get_and_update(agent, &{&1, &1 + 1}) == 1
        assert guest(Task).await(guest(Task).async(fn -> 7 end)) == 7
        assert [ok: 2, ok: 4] = Enum.to_list(guest(Task).async_stream([1, 2], &(&1 * 2)))
        {:ok, top} = guest(Supervisor).start_link([{Agent, fn -> 2 end}], strategy: :one_for_one)
        assert %{active: 1} = guest(Supervisor).count_children(top)
        {:ok, dynamic} = guest(DynamicSupervisor).start_link(strategy: :one_for_one)
        assert {:ok, _} = guest(DynamicSupervisor).start_child(dynamic, {Agent, fn -> 3 end})
        {:ok, _} = guest(Registry).start_link(keys: :unique, name: __MODULE__.Names)
        {:ok, _} = guest(Registry).register(__MODULE__.Names, :key, :value)
        assert [{_, :value}] = guest(Registry).lookup(__MODULE__.Names, :key)
        assert guest(Process).sleep(1) == :ok
        assert {time, :ok} = guest(:timer).tc(fn -> :ok end)
        assert is_integer(time)
      end)
    end

    test "are servers" do
      in_guest(fn ->
        test = self()

        server =
          :proc_lib.spawn_link(fn ->
            Process.flag(:error_handler, Handler)
            guest(:gen_server).enter_loop(Counter, [], 1)
          end)

        assert GenServer.call(server, :next, :infinity) == 1
        GenServer.cast(server, {:add, 10})
        Process.sleep(100)
        assert guest(GenServer).call(server, :next) == 112
        assert :sys.get_state(server) == 113
        send(server, {:stop, test})
        assert_receive {:stopped, 113}
      end)
    end

    test "know the time" do
      assert %DateTime{time_zone: "Etc/UTC"} = in_guest(fn -> guest(DateTime).utc_now() end)
      assert %Date{} = in_guest(fn -> guest(Date).utc_today() end)
      assert [0, 1] = in_guest(fn -> Enum.take(guest(Stream).interval(1), 2) end)
    end
  end

  describe "the guest of a program's module" do
    test "computes what the original computes" do
      in_guest(fn ->
        for {function, arguments} <- [
              pairs: [[1, 2], [3]],
              update: [%{items: [1]}],
              binary: ["\x02abc"],
              checked: [{:ok, 2}],
              checked: [{:ok, 1}],
              checked: [:error],
              size: [[1, 2]]
            ] do
          assert apply(guest(Uses), function, arguments) == apply(Uses, function, arguments)
        end

        for _ <- 1..6, do: assert_received(:checked)
      end)
    end

    test "dispatches protocols by original names" do
      in_guest(fn ->
        assert guest(Size).impl_for(%Box{}) == Size.impl_for(%Box{})
        assert guest(Size).of(%Box{items: [1]}) == 1
        assert_raise Protocol.UndefinedError, ~r/protocol #{inspect(Size)} not implemented/, &guest(Uses).unknown/0
      end)
    end

    test "speaks of itself by its original name" do
      in_guest(fn ->
        assert {Uses, Box, _} = guest(Uses).own()
        assert guest(Uses).__info__(:module) == Uses
        assert guest(Uses).__info__(:functions) == Uses.__info__(:functions)
      end)
    end
  end

  describe "names" do
    test "lead from a module to its guest and back" do
      assert Instrument.guest(Uses) == guest(Uses)
      assert Instrument.guest(guest(Uses)) == guest(Uses)
      assert Instrument.original(guest(Uses)) == Uses
      assert Instrument.original(:lists) == :lists
      assert Instrument.guest(:lists) == :lists
      assert Instrument.guest(File) == File
      assert Instrument.guest?(guest(Uses))
      refute Instrument.guest?(Uses)
    end

    test "of stack frames are restored" do
      frame = fn function, arity -> Instrument.original_frame({guest(Uses), function, arity, []}) end

      assert frame.(:loop, 2) == {Uses, :loop, 2, []}
      assert frame.(:"-loop/2-^0/0-0-", 5) == {Uses, :loop, 2, []}
      assert frame.(:"-loop/2-^fun-0-/1^12/0-3-", 7) == {Uses, :"-loop/2-fun-0-", 1, []}
      assert frame.(:"-loop/2-^=lc$^0/1-0-/2^3/1-2-", 1) == {Uses, :"-loop/2-lc$^0/1-0-", 2, []}
      assert frame.(:"-a/1-^^-b/2-fun-0-/1^3/0-1-", 7) == {Uses, :"-b/2-fun-0-", 1, []}
      assert frame.(:"-loop/2-fun-0-", 1) == {Uses, :"-loop/2-fun-0-", 1, []}
      assert Instrument.original_frame({:lists, :map, [1, 2], []}) == {:lists, :map, [1, 2], []}
    end
  end
end
