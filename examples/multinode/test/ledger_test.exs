defmodule LedgerTest do
  # The configuration is the whole VM's.
  use ExUnit.Case, async: false

  alias Multinode.{Job, Ledger}

  setup do
    start_supervised!(Ledger)
    on_exit(fn -> Application.put_env(:multinode, :members, []) end)
  end

  test "a round is granted once, and none before it" do
    Application.put_env(:multinode, :members, [node()])
    later = Job.current() + 10
    assert Ledger.majority?()
    assert Ledger.grant?(later)
    refute Ledger.grant?(later)
    refute Ledger.grant?(later - 1)
    assert Ledger.grant?(later + 1)
  end

  test "nothing is granted by a minority of the members" do
    Application.put_env(:multinode, :members, [node(), :"b@127.0.0.1"])
    refute Ledger.majority?()
    refute Ledger.grant?(Job.current() + 10)
  end

  test "a ledger that has just started grants neither this round nor the next" do
    Application.put_env(:multinode, :members, [node()])
    refute Ledger.grant?(Job.current())
  end
end
