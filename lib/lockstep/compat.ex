defmodule Lockstep.Compat do
  @moduledoc """
  Stand-ins inside runs for what cluster tests start and cut their nodes with.

  In `test/test_helper.exs`:

      Lockstep.start()
      Lockstep.Compat.install()
      ExUnit.start()

  From then on these modules act on the simulated cluster when code of a run calls them:

    * `LocalCluster` - the functions of version 1 (`start_nodes/2,3`, `stop_nodes/1`) and of version 2 (`start_link/1,2`,
      `nodes/1`, `pids/1`, `members/1`, `start/2,3`, `stop/1,2`) of the package local_cluster
    * `Schism` - `partition/1,2` and `heal/1,2` of the package schism
    * `:pg2` - the module that OTP had until release 24, over `:pg`

  A test needs no more changes than the tag:

      use Lockstep.Case

      @tag lockstep: [seeds: 1..100]
      test "users are known everywhere" do
        [n1, n2] = LocalCluster.start_nodes("users", 2, applications: [:users])
        Schism.partition([n1])
        ...
        Schism.heal([n1, n2])
      end

  `:slave` and `:peer` need none of this: inside a run their functions always start and stop simulated nodes.

  ## Outside of a run

  Where the project has the packages themselves, calls outside of a run reach these as ever. Where it has not, modules
  of their names are made when `install/0` is called, so that tests compile without them; called outside of a run, their
  functions raise `Lockstep.OutsideRunError`. But for `LocalCluster.start/0` and `stop/0`, which are `:ok`: they stand in
  many a `test_helper.exs`, and a run needs neither.

  ## What is different

    * The function under test runs on `:nonode@nohost`, also after `LocalCluster.start/0`: nodes are connected to one
      another, and the test reaches all of them.
    * All nodes have the code of the one VM: `files:` only sees to it that a file has been loaded.
    * All nodes have the environment variables of the one VM.
  """

  alias Lockstep.Compat.StandIn
  alias Lockstep.Instrument.Calls.Redirects

  @installed {__MODULE__, :installed}

  @doc """
  Makes the stand-ins known; to be called in `test/test_helper.exs`, before tests are loaded.

  Can be called again. There is no way back, as other tests may be running.
  """
  @spec install() :: :ok
  def install do
    for {module, target} <- Redirects.compat(), do: StandIn.define(module, target)
    :persistent_term.put(@installed, true)
  end

  @doc "Whether `install/0` has been called."
  @spec installed?() :: boolean()
  def installed?, do: :persistent_term.get(@installed, false)
end
