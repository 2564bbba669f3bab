defmodule UserCache.Sync do
  @moduledoc """
  When a cache has all its users sent to another one, which was not there when they were written.

  Without it (`sync: nil`) a cache that is cut off stays without what was written meanwhile, and a new one is empty.
  """
end
