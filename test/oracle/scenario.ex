defmodule Oracle.Scenario do
  @moduledoc false
  # A scenario: a rule, what it is about, and a function of a world whose value is the observation.
  #
  #     scenario "R-CON5 connecting to oneself", world do
  #       [a] = World.start(world, 1)
  #       World.call(world, a, fn -> Node.connect(node()) end)
  #     end
  #
  # Options:
  #
  #   compare: :exact (default)   there is one observation
  #            :one_of            the rule allows several: each that is seen must be among those recorded
  #            a name             of a predicate of the module: it holds for every observation
  #   simulated: false            for real nodes only; `because:` says why
  #   open: text                  simulated nodes do something else so far, and what; a test fails when they no longer do

  defstruct [:title, :rule, :module, :function, compare: :exact, simulated: true, because: nil, open: nil]

  @rule ~r/^([A-Z0-9]+-)+[A-Z0-9]+/

  defmacro __using__(_options) do
    quote do
      import Oracle.Scenario, only: [scenario: 3, scenario: 4]
      alias Oracle.{Outcome, World}
      Module.register_attribute(__MODULE__, :scenarios, accumulate: true)
      @before_compile Oracle.Scenario
    end
  end

  defmacro scenario(title, world, options \\ [], do: body) do
    quote bind_quoted: [
            title: title,
            options: options,
            world: Macro.escape(world, unquote: true),
            body: Macro.escape(body, unquote: true)
          ] do
      @scenarios {title, options}
      def unquote(String.to_atom(title))(unquote(world)), do: unquote(body)
    end
  end

  defmacro __before_compile__(env) do
    scenarios = Module.get_attribute(env.module, :scenarios) |> Enum.reverse()

    quote do
      def scenarios do
        for {title, options} <- unquote(Macro.escape(scenarios)), do: Oracle.Scenario.new(__MODULE__, title, options)
      end
    end
  end

  def new(module, title, options) do
    [rule | _] = Regex.run(@rule, title)
    struct!(__MODULE__, [title: title, rule: rule, module: module, function: String.to_atom(title)] ++ options)
  end

  @doc "The observation of a scenario in a world of this kind."
  def observe(scenario, backend) do
    world = Oracle.World.new(backend)

    try do
      scenario.module |> apply(scenario.function, [world]) |> Oracle.Normal.form()
    after
      Oracle.World.close(world)
    end
  end
end
