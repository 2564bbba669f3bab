defmodule Lockstep.Runtime.Flow do
  @moduledoc false
  # Connections that take no more (Erlang Reference Manual, Processes, "Blocking Signaling Over Distribution").
  #
  # As long as what a process sends does not get out of its node, the core asks how much it is, and lets it go on when
  # the connection takes more: the network is back, or the connection is lost. Everywhere else nobody measures anything.

  alias Lockstep.Native
  alias Lockstep.Runtime.{Context, Turn}

  # What a signal takes besides its terms, in bytes.
  @envelope 64

  @doc "As `Turn.take/1`, for an operation that may send a signal to another node, with what it carries."
  @spec take(Context.t(), Native.next(), term()) :: Native.grant()
  def take(ctx, next, carried \\ []) do
    with {:stuck, grant} <- Turn.take(next) do
      weigh(ctx, carried, true)
      grant
    end
  end

  @doc "The answer to an operation that has sent something, and whether the caller is still to say how much."
  @spec split(Native.grant()) :: {Native.grant(), stuck? :: boolean()}
  def split({:stuck, grant}), do: {grant, true}
  def split(grant), do: {grant, false}

  @doc "Says how much the caller has sent, and waits while the connection takes no more."
  @spec weigh(Context.t(), term(), boolean()) :: :ok
  def weigh(ctx, carried, suspend?) do
    Turn.take(Native.weigh(ctx.session, ctx.id, @envelope + :erlang.external_size(carried), suspend?))
  end
end
