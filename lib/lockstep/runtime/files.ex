defmodule Lockstep.Runtime.Files do
  @moduledoc false
  # Names of files, and devices that only look like files: `IO.binwrite/2` goes through `:file`. Files themselves are the
  # outside world's (`Lockstep.Runtime.Escape`).

  alias Lockstep.{Instrument, Native}
  alias Lockstep.Runtime.{Context, Device, Escape}

  @doc "`:filename.absname/1`: a name that is absolute does not depend on the working directory."
  @spec absname(:file.name_all()) :: :file.filename_all()
  def absname(name) do
    cond do
      not Context.inside?() -> :filename.absname(name)
      :filename.pathtype(name) == :absolute -> :filename.absname(name, ~c"/")
      true -> apply(Instrument.guest(:filename), :absname, [name])
    end
  end

  for function <- [:absname, :expand] do
    @doc "`Path.#{function}/1`: the same."
    @spec unquote(:"path_#{function}")(Path.t()) :: binary()
    def unquote(:"path_#{function}")(path) do
      cond do
        not Context.inside?() -> Path.unquote(function)(path)
        Path.type(path) == :absolute -> Path.unquote(function)(path, "/")
        true -> apply(Instrument.guest(Path), unquote(function), [path])
      end
    end
  end

  @doc "`:file.write/2`."
  @spec write(:file.io_device() | atom(), iodata()) :: :ok | {:error, term()}
  def write(device, bytes) do
    if device?(Context.get(), device),
      do: put(device, binary(bytes)),
      else: Escape.call(:file, :write, [device, bytes], nil)
  end

  defp put(_device, :error), do: {:error, :badarg}
  defp put(device, bytes), do: Device.request(device, {:put_chars, :latin1, bytes})

  defp binary(bytes) do
    :erlang.iolist_to_binary(bytes)
  rescue
    ArgumentError -> :error
  end

  @doc "`:file.read/2`."
  @spec read(:file.io_device() | atom(), non_neg_integer()) :: {:ok, iodata()} | :eof | {:error, term()}
  def read(device, count) do
    if device?(Context.get(), device),
      do: device |> Device.request({:get_chars, :latin1, ~c"", count}) |> data(),
      else: Escape.call(:file, :read, [device, count], nil)
  end

  @doc "`:file.read_line/1`."
  @spec read_line(:file.io_device() | atom()) :: {:ok, iodata()} | :eof | {:error, term()}
  def read_line(device) do
    if device?(Context.get(), device),
      do: device |> Device.request({:get_line, :latin1, ~c""}) |> data(),
      else: Escape.call(:file, :read_line, [device], nil)
  end

  defp data(data) when is_binary(data) or is_list(data), do: {:ok, data}
  defp data(other), do: other

  defp device?(nil, _device), do: false
  defp device?(_ctx, name) when is_atom(name), do: true
  defp device?(ctx, pid) when is_pid(pid), do: Native.id(ctx.session, pid) != nil
  defp device?(_ctx, _file), do: false
end
