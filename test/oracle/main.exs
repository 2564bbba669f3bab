System.argv() |> Oracle.Command.run() |> System.halt()
