defmodule Gallery.SupervisorLimit do
  use Gallery.Program, kind: :lifecycle, bug: "a supervisor's children are counted before one more is started"

  def buggy do
    downloads([], fn supervisor, download ->
      if DynamicSupervisor.count_children(supervisor).active < 2,
        do: DynamicSupervisor.start_child(supervisor, download),
        else: {:error, :max_children}
    end)
  end

  def fixed, do: downloads([max_children: 2], &DynamicSupervisor.start_child/2)

  defp downloads(options, start) do
    {:ok, supervisor} = DynamicSupervisor.start_link([strategy: :one_for_one] ++ options)
    download = {Agent, fn -> :downloading end}
    together(for _ <- 1..3, do: fn -> start.(supervisor, download) end)
    assert DynamicSupervisor.count_children(supervisor).active == 2
  end
end
