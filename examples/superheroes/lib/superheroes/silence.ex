defmodule Superheroes.Silence do
  @moduledoc """
  What is done about a city that does not answer, because it is bombed, its node is down or nobody can reach it.
  """

  @doc "Calls the function. Depending on `:silence`, its exits are the caller's or come to nothing."
  @spec handle((... -> term())) :: term()
  def handle(fun) do
    case Application.fetch_env!(:superheroes, :silence) do
      :crash -> fun.()
      :skip -> skip(fun)
    end
  end

  defp skip(fun) do
    fun.()
  catch
    :exit, {_reason, {GenServer, :call, _arguments}} -> :skipped
  end
end
