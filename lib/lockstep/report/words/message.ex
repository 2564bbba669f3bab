defmodule Lockstep.Report.Words.Message do
  @moduledoc false
  # What a printed message is: the envelopes of OTP's and Elixir's processes, opened.

  alias Lockstep.Report.Terms

  @type t ::
          {:call, String.t(), String.t()}
          | {:cast, String.t()}
          | {:reply, String.t()}
          | {:result, String.t(), String.t()}
          | {:down, String.t(), String.t()}
          | {:exit, String.t(), String.t()}
          | {:print, String.t()}
          | {:task, String.t()}
          | :aside
          | {:other, String.t()}

  @doc """
  Reads one message.

  ## Examples

      iex> Lockstep.Report.Words.Message.read("{:\\"$gen_cast\\", {:put, 1}}")
      {:cast, "{:put, 1}"}

      iex> Lockstep.Report.Words.Message.read("{#Reference<0.5.2080374784.1>, :ok}")
      {:result, "#Reference<0.5.2080374784.1>", ":ok"}

  """
  @spec read(String.t()) :: t()
  def read(text), do: envelope(Terms.elements(text), text)

  defp envelope([~S(:"$gen_call"), from, message], text) do
    case Terms.elements(from) do
      [from, _tag] -> {:call, from, message}
      _ -> {:other, text}
    end
  end

  defp envelope([~S(:"$gen_cast"), message], _text), do: {:cast, message}
  defp envelope(["[:alias | #Reference<" <> _, reply], _text), do: {:reply, reply}
  defp envelope(["#Reference<" <> _ = reference, result], _text), do: {:result, reference, result}
  defp envelope([":DOWN", "#Reference<" <> _, _type, who, reason], _text), do: {:down, who, reason}
  defp envelope([":EXIT", who, reason], _text), do: {:exit, who, reason}
  defp envelope([":ack", "#PID<" <> _, "{:ok, " <> _], _text), do: :aside
  defp envelope([":io_reply" | _], _text), do: :aside
  defp envelope([~S(:"$lockstep_service") | _], _text), do: :aside
  defp envelope(["#PID<" <> _, ":" <> monitor], _text) when monitor in ["monitor", "nomonitor"], do: :aside

  defp envelope([":io_request", _from, _ref, request], text) do
    case Terms.elements(request) do
      [":put_chars", ":unicode", chars] -> {:print, chars}
      _ -> {:other, text}
    end
  end

  # How a task is told what to do.
  defp envelope(["#PID<" <> _, "#Reference<" <> _, "#" <> _, "[" <> _, call], text) do
    case Terms.elements(call) do
      [":erlang", ":apply", "[" <> arguments] -> {:task, function(arguments)}
      [module, ":" <> function, "[" <> arguments] -> {:task, module <> "." <> function <> in_parentheses(arguments)}
      _ -> {:other, text}
    end
  end

  defp envelope(_elements, text), do: {:other, text}

  defp function(arguments), do: arguments |> String.trim_trailing("]") |> Terms.split() |> hd()

  defp in_parentheses(arguments), do: "(" <> String.replace_suffix(arguments, "]", "") <> ")"
end
