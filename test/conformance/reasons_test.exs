defmodule Conformance.ReasonsTest do
  # How processes end that fail: the whole reason, with its stack trace.
  use Lockstep.Support.Conformance

  alias Conformance.Failures

  for name <- Failures.names() do
    test "#{name}: the reason, with its stack" do
      check(fn ->
        {pid, ref} = spawn_monitor(Failures, :fail, [unquote(name)])
        receive(do: ({:DOWN, ^ref, _, ^pid, reason} -> comparable(reason)))
      end)
    end

    test "#{name}: caught, with its stack" do
      check(fn ->
        main = self()

        spawn(fn ->
          try do
            send(main, {:returned, apply(Failures, :fail, [unquote(name)])})
          catch
            kind, reason -> send(main, {kind, reason, __STACKTRACE__})
          end
        end)

        receive(do: (caught -> comparable(caught)))
      end)
    end
  end

  # Pids, references and funs are others in every run.
  defp comparable(term) when is_function(term), do: {:fun, :erlang.fun_info(term, :arity)}
  defp comparable(term) when is_pid(term), do: :pid
  defp comparable(term) when is_reference(term), do: :ref
  defp comparable([head | tail]), do: [comparable(head) | comparable(tail)]
  defp comparable(term) when is_tuple(term), do: term |> Tuple.to_list() |> comparable() |> List.to_tuple()
  defp comparable(term), do: term
end
