defmodule Lockstep.Runtime.Files do
  @moduledoc false
  # Names of files. Files themselves are the outside world's (`Lockstep.Runtime.Escape`).

  alias Lockstep.Instrument
  alias Lockstep.Runtime.Context

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
end
