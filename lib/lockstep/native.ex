defmodule Lockstep.Native do
  @moduledoc false
  # The Rust core, function by function. No logic here.
  #
  # Times are virtual microseconds, references and processes their numbers. Every function answers `{:error, reason}`
  # when it cannot be carried out: `:busy` (another process is in a call on the same session), `:ended`,
  # `:not_your_turn`, `:unknown_process`, `:foreign` (a pid that is not one of the run), `:only_looks` (see
  # `Lockstep.Runtime.Onlooker`), `:bad_argument`.

  @on_load :load
  # Otherwise the compiler loads this module while it compiles others, and a missing library becomes a warning in the
  # middle of the compilation.
  @compile {:autoload, false}

  @type session :: reference()
  @type id :: non_neg_integer()
  @type natural :: non_neg_integer()
  @type alias_mode :: :explicit | :demonitor | :reply_demonitor | :reply
  @type class :: :normal | :shutdown | :kill | :crash
  @type target :: pid() | atom() | {atom(), node()} | natural()
  @typedoc "What an operation came to; its shape depends on the operation."
  @type grant :: term()
  @typedoc "Whose turn it is: the caller's, another process's, or nobody's because the run is over."
  @type next :: {:go, grant()} | {:pass, pid(), grant()} | {:over, pid()} | {:choose, pid()} | {:error, atom()}

  @doc false
  def load do
    # An old version of the library would refuse to be replaced.
    :code.purge(__MODULE__)
    path = :filename.join(:code.priv_dir(:lockstep), ~c"native/lockstep")
    :erlang.load_nif(path, 0)
  end

  # Sessions

  @doc "A text says what is wrong with the profile."
  @spec new(map(), pid()) :: session() | {:error, String.t()}
  def new(_settings, _warden), do: err()
  @spec born(session(), id(), pid(), pid()) :: :ok | {:error, atom()}
  def born(_session, _id, _shown, _real), do: err()
  @spec begin(session()) :: next()
  def begin(_session), do: err()
  @spec reaped(session(), pid()) :: next()
  def reaped(_session, _real), do: err()
  @spec close(session()) :: :ok | {:error, atom()}
  def close(_session), do: err()

  # Scheduling points

  @spec send(session(), id(), target()) :: next()
  def send(_session, _me, _target), do: err()
  @spec send_if_connected(session(), id(), target()) :: next()
  def send_if_connected(_session, _me, _target), do: err()
  @spec weigh(session(), id(), bytes :: natural(), suspend? :: boolean()) :: next()
  def weigh(_session, _me, _bytes, _suspend?), do: err()
  @spec receive(session(), id(), :forever | :poll | :rest | {:lazily, natural()} | natural()) :: next()
  def receive(_session, _me, _mode), do: err()
  @spec spawn(session(), id(), node(), boolean(), natural() | nil, alias_mode() | nil) :: next()
  def spawn(_session, _me, _node, _link?, _monitor, _alias_mode), do: err()
  @typedoc "How the alias of the monitor ends, the number of the request, and who of the two outcomes is answered."
  @type request :: {alias_mode() | nil, natural(), success? :: boolean(), failure? :: boolean()}
  @spec spawn_request(session(), id(), node(), boolean(), boolean(), request()) :: next()
  def spawn_request(_session, _me, _node, _link?, _monitor?, _request), do: err()
  @spec abandon(session(), id(), natural()) :: next()
  def abandon(_session, _me, _number), do: err()
  @spec look(session(), id(), pid() | nil) :: next()
  def look(_session, _me, _pid), do: err()
  @spec lead(session(), id(), pid()) :: next()
  def lead(_session, _me, _pid), do: err()
  @spec suspend(session(), id(), pid(), boolean()) :: next()
  def suspend(_session, _me, _pid, _once?), do: err()
  @spec resume(session(), id(), pid()) :: next()
  def resume(_session, _me, _pid), do: err()
  @spec link(session(), id(), pid()) :: next()
  def link(_session, _me, _pid), do: err()
  @spec unlink(session(), id(), pid()) :: next()
  def unlink(_session, _me, _pid), do: err()
  @spec monitor(session(), id(), target(), natural(), atom()) :: next()
  def monitor(_session, _me, _target, _number, _alias_mode), do: err()
  @spec demonitor(session(), id(), natural()) :: next()
  def demonitor(_session, _me, _number), do: err()
  @spec alias(session(), id(), natural(), :explicit | :reply) :: next()
  def alias(_session, _me, _number, _mode), do: err()
  @spec unalias(session(), id(), natural()) :: next()
  def unalias(_session, _me, _number), do: err()
  @spec signal(session(), id(), pid(), class()) :: next()
  def signal(_session, _me, _pid, _class), do: err()
  @spec exit(session(), id(), class()) :: next()
  def exit(_session, _me, _class), do: err()
  @spec trap_exit(session(), id(), boolean()) :: next()
  def trap_exit(_session, _me, _on?), do: err()
  @spec register(session(), id(), atom(), pid()) :: next()
  def register(_session, _me, _name, _pid), do: err()
  @spec unregister(session(), id(), atom()) :: next()
  def unregister(_session, _me, _name), do: err()
  @spec whereis(session(), id(), atom()) :: next()
  def whereis(_session, _me, _name), do: err()
  @spec start_timer(session(), id(), natural(), target(), natural()) :: next()
  def start_timer(_session, _me, _micros, _target, _number), do: err()
  @spec cancel_timer(session(), id(), natural()) :: next()
  def cancel_timer(_session, _me, _number), do: err()
  @spec read_timer(session(), id(), natural()) :: next()
  def read_timer(_session, _me, _number), do: err()
  @spec access(session(), id(), natural(), boolean()) :: next()
  def access(_session, _me, _object, _write?), do: err()
  @typedoc "A table by a number; `nil` for all there is."
  @type table :: 0..0xFFFFFFFF | nil
  @spec access_table(session(), id(), table(), entry :: 0..0xFFFFFFFF | nil, boolean()) :: next()
  def access_table(_session, _me, _table, _entry, _write?), do: err()
  @spec yield(session(), id()) :: next()
  def yield(_session, _me), do: err()
  @spec watch(session(), id(), boolean()) :: next()
  def watch(_session, _me, _again?), do: err()
  @spec violated(session(), id()) :: next()
  def violated(_session, _me), do: err()
  @type mode :: :drop | :defer | :tcp | :hold
  @spec partition(session(), id(), [[node()]], mode()) :: next()
  def partition(_session, _me, _groups, _mode), do: err()
  @spec cut_one_way(session(), id(), [node()], [node()], mode()) :: next()
  def cut_one_way(_session, _me, _from, _to, _mode), do: err()
  @spec heal(session(), id(), :all | {:node, node()} | {:between, node(), node()}) :: next()
  def heal(_session, _me, _scope), do: err()
  @spec release(session(), id(), [node()], [node()]) :: next()
  def release(_session, _me, _from, _to), do: err()
  @typedoc "Weight, least and most."
  @type ranges :: [{pos_integer(), natural(), natural()}]
  @spec set_latency(session(), id(), {node(), node()} | nil, ranges()) :: next()
  def set_latency(_session, _me, _between, _ranges), do: err()
  @spec set_tick_time(session(), id(), natural()) :: next()
  def set_tick_time(_session, _me, _micros), do: err()
  @spec stop_node(session(), id(), node()) :: next()
  def stop_node(_session, _me, _node), do: err()
  @spec crash_node(session(), id(), node(), orderly? :: boolean()) :: next()
  def crash_node(_session, _me, _node, _orderly?), do: err()
  @spec start_node(session(), id(), node(), connect? :: boolean()) :: next()
  def start_node(_session, _me, _node, _connect?), do: err()
  @spec pause_node(session(), id(), node(), boolean()) :: next()
  def pause_node(_session, _me, _node, _on?), do: err()
  @spec pause(session(), id(), pid(), natural()) :: next()
  def pause(_session, _me, _pid, _micros), do: err()

  @type setting ::
          {:hidden, boolean()}
          | {:alive, boolean()}
          | {:auto_connect, :always | :never | :once}
          | {:allow, [node()]}
          | {:cookie, atom()}
          | {:cookie_for, node(), atom()}
          | {:tick, natural(), natural()}
  @spec configure(session(), id(), node(), setting()) :: next()
  def configure(_session, _me, _node, _setting), do: err()
  @spec join(session(), id(), node(), node()) :: next()
  def join(_session, _me, _a, _b), do: err()
  @spec connect(session(), id(), node(), natural()) :: next()
  def connect(_session, _me, _node, _number), do: err()
  @spec disconnect(session(), id(), node(), node()) :: next()
  def disconnect(_session, _me, _from, _node), do: err()
  @spec monitor_node(session(), id(), node(), boolean(), boolean()) :: next()
  def monitor_node(_session, _me, _node, _lost?, _on?), do: err()
  @typedoc "Whether visible and whether hidden nodes are meant."
  @type kinds :: {boolean(), boolean()}
  @spec monitor_nodes(session(), id(), shape :: natural(), kinds(), boolean()) :: next()
  def monitor_nodes(_session, _me, _shape, _kinds, _on?), do: err()

  # What a process does besides, while it has its turn

  @typedoc "Who is to be told something, under which number, and the monitor that has fired, if one has."
  @type notice :: {pid(), natural(), monitor :: natural() | nil}
  @spec finish(session(), id(), heirs :: [pid()]) :: {heirs :: [notice()], ties :: [notice()]} | {:error, atom()}
  def finish(_session, _me, _heirs), do: err()
  @spec fetch(session(), id()) :: [term()] | {:error, atom()}
  def fetch(_session, _me), do: err()
  @spec note(session(), String.t(), natural(), place :: {String.t(), pos_integer()} | nil) :: :ok | {:error, atom()}
  def note(_session, _text, _digest, _place), do: err()
  @spec daemon(session(), pid()) :: :ok | {:error, atom()}
  def daemon(_session, _pid), do: err()
  @spec owner(session(), pid()) :: :ok | {:error, atom()}
  def owner(_session, _pid), do: err()
  @spec draw(session(), pos_integer()) :: natural()
  def draw(_session, _count), do: err()
  @spec onlooker(session()) :: id()
  def onlooker(_session), do: err()
  @spec look_from(session(), id(), node()) :: :ok | {:error, atom()}
  def look_from(_session, _me, _node), do: err()
  @typedoc "Which schedules are run: see `Lockstep.Options`."
  @type bound :: :interleavings | {:preemptions, natural()} | {:delays, natural()}
  @type explorer :: reference()
  @spec explorer(bound()) :: explorer()
  def explorer(_bound), do: err()
  @spec explore(session(), explorer()) :: :ok | {:error, atom()}
  def explore(_session, _explorer), do: err()
  @spec explored(session(), explorer()) :: :ok | {:error, atom()}
  def explored(_session, _explorer), do: err()
  @spec advance(explorer()) :: {more? :: boolean(), complete :: natural(), abandoned :: natural()} | {:error, atom()}
  def advance(_explorer), do: err()
  @spec took(session(), id(), place :: natural(), take? :: boolean()) :: :ok | {:error, atom()}
  def took(_session, _me, _place, _take?), do: err()
  @spec interleaving(session()) :: natural()
  def interleaving(_session), do: err()
  @spec random(session()) :: natural()
  def random(_session), do: err()

  # Questions

  @spec now(session()) :: natural()
  def now(_session), do: err()
  @spec id(session(), pid()) :: id() | nil
  def id(_session, _pid), do: err()
  @spec of_present_life(session(), pid()) :: boolean()
  def of_present_life(_session, _pid), do: err()
  @spec led(session(), pid()) :: natural() | nil
  def led(_session, _pid), do: err()
  @spec real_pid(session(), pid()) :: pid() | nil
  def real_pid(_session, _pid), do: err()
  @spec node_of(session(), pid()) :: node() | nil
  def node_of(_session, _pid), do: err()
  @spec alive(session(), pid()) :: boolean()
  def alive(_session, _pid), do: err()
  @spec nodes(session()) :: [{node(), boolean()}]
  def nodes(_session), do: err()
  @spec visible(session(), node()) :: [node()]
  def visible(_session, _node), do: err()
  @spec connections(session(), node()) :: [{node(), connection_id :: natural(), hidden? :: boolean()}]
  def connections(_session, _node), do: err()
  @spec neighbours(session(), node()) :: [node()]
  def neighbours(_session, _node), do: err()
  @spec busy(session(), node(), node()) :: boolean()
  def busy(_session, _from, _to), do: err()
  @spec node_names(session()) :: [node()]
  def node_names(_session), do: err()
  @spec under_way(session()) :: natural()
  def under_way(_session), do: err()
  @spec names(session(), node()) :: [atom()]
  def names(_session, _node), do: err()
  @spec info(session(), pid()) :: {[pid()], boolean(), atom(), natural()} | {:error, atom()}
  def info(_session, _pid), do: err()
  @type status :: :running | :runnable | :waiting | :suspended
  @typedoc "Numbers of its monitors, who watches it, whom it suspends, and what it is doing."
  @type relations :: {[natural()], [pid()], [{pid(), pos_integer(), 0}], status() | nil}
  @spec relations(session(), pid()) :: relations() | {:error, atom()}
  def relations(_session, _pid), do: err()
  @spec delivered(session(), pid()) :: [term()] | {:error, atom()}
  def delivered(_session, _pid), do: err()
  @spec home(session(), id()) :: node() | nil
  def home(_session, _id), do: err()
  @spec progress(session()) :: natural()
  def progress(_session), do: err()
  @spec real_pids(session()) :: [pid()]
  def real_pids(_session), do: err()
  @spec waiting(session()) :: [{id(), pid() | nil, daemon? :: boolean()}]
  def waiting(_session), do: err()
  @spec living(session(), pid()) :: [pid()]
  def living(_session, _neighbour), do: err()
  @spec outcome(session()) :: atom() | {atom(), natural()}
  def outcome(_session), do: err()
  @spec stats(session()) :: {natural(), natural(), natural()}
  def stats(_session), do: err()
  @spec choices(session()) :: [natural()]
  def choices(_session), do: err()

  @typedoc """
  What was done: `{kind, lineage of who did it, its own count, value, step}`. The value of an act is what it touched: 0 for
  nothing, 2^64 - 1 for everything.
  """
  @type deed :: {:act | :stall | :latency | :fault, natural(), natural(), natural(), natural()}
  @spec trail(session(), each_step? :: boolean()) :: {[deed()], natural(), natural()} | nil
  def trail(_session, _each_step?), do: err()
  @spec processes(session()) :: [{id(), node(), atom(), daemon? :: boolean()}]
  def processes(_session), do: err()
  @spec events(session()) :: [tuple()]
  def events(_session), do: err()
  @typedoc "`{kind, process, lineage, object, identity, write?}`, see `Lockstep.Strategy.Event`."
  @type offered :: {atom(), id() | nil, natural(), term(), natural(), boolean()}
  @doc "What there is to choose from under the strategy `:outside`, the longest stall, and the next deadlines."
  @spec offer(session()) :: {[offered()], max_stall :: natural(), upcoming :: [natural()]} | nil
  def offer(_session), do: err()
  @doc "Makes the choice that `{:choose, warden}` has asked for; a stall of 0 lets the event happen."
  @spec answer(session(), index :: natural(), stall :: natural()) :: next()
  def answer(_session, _index, _stall), do: err()
  @typedoc "A strategy as the core knows it. What `:profile` is for, see `profile/1`."
  @type strategy ::
          :random
          | :fifo
          | :profile
          | :pos
          | :surw
          | {:pct, pos_integer()}
          | {:replay | :follow | :along, [natural()]}
          | {:guided, [{:act | :stall | :latency | :fault, natural(), natural(), natural()}]}
  @doc "The strategy of the portfolio that a seed has."
  @spec portfolio(natural()) :: strategy()
  def portfolio(_seed), do: err()
  @doc "What an undisturbed run under the strategy `:profile` has found out about its program, for `new/2`."
  @spec profile(session()) :: binary() | nil
  def profile(_session), do: err()
  @spec trace(session()) :: binary()
  def trace(_session), do: err()

  defp err, do: :erlang.nif_error(:nif_not_loaded)
end
