defmodule Lockstep.Runtime.Terms do
  @moduledoc false
  # Terms as bytes. The VM writes a map in the order in which it has it, see `Lockstep.Runtime.Maps`.

  alias Lockstep.Runtime.Context

  @doc "As `:erlang.term_to_binary/1`."
  @spec term_to_binary(term()) :: binary()
  def term_to_binary(term), do: :erlang.term_to_binary(term, options([]))

  @doc "As `:erlang.term_to_binary/2`."
  @spec term_to_binary(term(), [term()]) :: binary()
  def term_to_binary(term, options), do: :erlang.term_to_binary(term, options(options))

  @doc "As `:erlang.term_to_iovec/1`."
  @spec term_to_iovec(term()) :: iolist()
  def term_to_iovec(term), do: :erlang.term_to_iovec(term, options([]))

  @doc "As `:erlang.term_to_iovec/2`."
  @spec term_to_iovec(term(), [term()]) :: iolist()
  def term_to_iovec(term, options), do: :erlang.term_to_iovec(term, options(options))

  defp options(options) do
    if is_list(options) and Context.inside?(), do: [:deterministic | options], else: options
  end
end
