defmodule Lockstep.Runtime.Device do
  @moduledoc false
  # `:io` on a device. Devices of the run are processes of the run; a file that an escape has opened is a process of
  # the VM, which could not answer one of the run, so there the call is an escape as well.

  alias Lockstep.Instrument
  alias Lockstep.Native
  alias Lockstep.Runtime.{Context, Escape}

  for {function, arity} <- [
        columns: 1,
        format: 3,
        fread: 3,
        fwrite: 3,
        get_chars: 3,
        get_line: 2,
        get_password: 1,
        getopts: 1,
        nl: 1,
        put_chars: 2,
        put_chars: 3,
        read: 2,
        read: 3,
        read: 4,
        request: 2,
        requests: 2,
        rows: 1,
        setopts: 2,
        write: 2
      ] do
    args = Macro.generate_arguments(arity, __MODULE__)

    @doc "`:io.#{function}/#{arity}`."
    def unquote(function)(unquote_splicing(args)), do: call(unquote(function), unquote(args))
  end

  defp call(function, [device | _] = args) do
    case Context.get() do
      nil ->
        apply(:io, function, args)

      ctx ->
        if is_pid(device) and Native.id(ctx.session, device) == nil do
          Escape.call(:io, function, args, nil)
        else
          apply(Instrument.guest(:io), function, args)
        end
    end
  end
end
