defmodule Lockstep.Instrument.Calls.Redirects do
  @moduledoc false
  # The redirected calls: one row a family, `{runtime module, original module, functions}`.
  #
  # A name with an arity list keeps its name in the runtime module; `{name, new_name}` renames it. To redirect one
  # more call, add it to a row and write the runtime function of the same name and arity.

  alias Lockstep.Instrument.Reflection
  alias Lockstep.Runtime, as: R

  @rows [
    {R.Message, :erlang, [{{:!, :send}, [2]}, send: [2, 3], send_nosuspend: [2, 3]]},
    {R.Process, :erlang,
     [
       self: [0],
       exit: [2],
       link: [1],
       unlink: [1],
       is_process_alive: [1],
       hibernate: [0, 3],
       processes: [0],
       processes_iterator: [0],
       processes_next: [1],
       get: [0],
       get_keys: [0, 1],
       erase: [0],
       yield: [0],
       garbage_collect: [0, 1, 2]
     ]},
    {R.Spawning, :erlang,
     [
       spawn: [1, 2, 3, 4],
       spawn_link: [1, 2, 3, 4],
       spawn_monitor: [1, 2, 3, 4],
       spawn_opt: [2, 3, 4, 5],
       spawn_request: [1, 2, 3, 4, 5],
       spawn_request_abandon: [1]
     ]},
    {R.Information, :erlang, [process_info: [1, 2]]},
    {R.Flags, :erlang, [process_flag: [2, 3]]},
    {R.Suspension, :erlang, [suspend_process: [1, 2], resume_process: [1]]},
    {R.Leader, :erlang, [group_leader: [0, 2]]},
    {R.Device, :io,
     [
       columns: [1],
       format: [3],
       fread: [3],
       fwrite: [3],
       get_chars: [3],
       get_line: [2],
       get_password: [1],
       getopts: [1],
       nl: [1],
       put_chars: [2, 3],
       read: [2, 3, 4],
       request: [2],
       requests: [2],
       rows: [1],
       setopts: [2],
       write: [2]
     ]},
    {R.Applications, :application,
     [
       get_all_env: [0, 1],
       get_all_key: [0, 1],
       get_application: [0, 1],
       get_env: [1, 2, 3],
       get_key: [1, 2],
       loaded_applications: [0]
     ]},
    {R.Shutdown, :erlang, [halt: [0, 1, 2]]},
    {R.Shutdown, :init, [stop: [0, 1]]},
    {R.Shutdown, System, [{{:stop, :stop_system}, [0, 1]}]},
    {R.Boot, :init, [get_argument: [1], get_arguments: [0], get_plain_arguments: [0], run_on_load_handlers: [0]]},
    {R.Monitor, :erlang, [monitor: [2, 3], demonitor: [1, 2], alias: [0, 1], unalias: [1]]},
    {R.Names, :erlang, [register: [2], unregister: [1], whereis: [1], registered: [0]]},
    {R.Timer, :erlang, [start_timer: [3, 4], send_after: [3, 4], cancel_timer: [1, 2], read_timer: [1, 2]]},
    {R.Clock, :erlang,
     [
       monotonic_time: [0, 1],
       system_time: [0, 1],
       time_offset: [0, 1],
       timestamp: [0],
       now: [0],
       universaltime: [0],
       localtime: [0],
       localtime_to_universaltime: [1, 2],
       universaltime_to_localtime: [1],
       date: [0],
       time: [0]
     ]},
    {R.Clock, :os, [system_time: [0, 1], timestamp: [0], perf_counter: [0, 1]]},
    {R.Clock, :calendar, [{{:universal_time, :universaltime}, [0]}, {{:local_time, :localtime}, [0]}]},
    {R.Unique, :erlang, [make_ref: [0], unique_integer: [0, 1]]},
    {R.Random, :rand,
     [
       seed: [1],
       seed_s: [1],
       bytes: [1],
       jump: [0],
       mwc59_seed: [0],
       normal: [0, 2],
       uniform: [0, 1],
       uniform_real: [0]
     ]},
    {R.Random, :crypto, [strong_rand_bytes: [1], rand_uniform: [2], rand_seed: [0], rand_seed_s: [0]]},
    {R.Nodes, :erlang, [node: [0, 1], nodes: [0, 1, 2], is_alive: [0], monitor_node: [2, 3]]},
    {R.Connections, :erlang, [disconnect_node: [1], get_cookie: [0, 1], set_cookie: [1, 2]]},
    {R.Distribution, :net_kernel, [get_state: [0], start: [1, 2], stop: [0]]},
    {R.Connections, :net_kernel,
     [
       connect_node: [1],
       hidden_connect_node: [1],
       passive_cnct: [1],
       disconnect: [1],
       async_disconnect: [1],
       allow: [1],
       allowed: [0],
       get_net_ticktime: [0],
       set_net_ticktime: [1, 2],
       longnames: [0],
       nodename: [0]
     ]},
    {R.Slave, :slave, [start: [1, 2, 3], start_link: [1, 2, 3], stop: [1]]},
    {R.Peer, :peer,
     [
       call: [4, 5],
       cast: [4],
       get_state: [1],
       random_name: [0, 1],
       send: [3],
       start: [1],
       start_link: [0, 1],
       stop: [1]
     ]},
    {R.Machine, :erlang, [system_info: [1], statistics: [1]]},
    {R.Machine, :inet, [gethostname: [0]]},
    {R.Machine, :net_adm, [localhost: [0]]},
    {R.Files, :filename, [absname: [1]]},
    {R.Files, :file, [write: [2], read: [2], read_line: [1]]},
    {R.Files, Path, [{{:absname, :path_absname}, [1]}, {{:expand, :path_expand}, [1]}]},
    {R.Log, :logger,
     [
       macro_log: [3, 4, 5],
       log: [2, 3, 4],
       debug: [1, 2, 3],
       info: [1, 2, 3],
       notice: [1, 2, 3],
       warning: [1, 2, 3],
       error: [1, 2, 3],
       critical: [1, 2, 3],
       alert: [1, 2, 3],
       emergency: [1, 2, 3]
     ]},
    {R.Log.Handlers, :logger, [add_handler: [3], remove_handler: [1], get_handler_ids: [0], get_handler_config: [1]]},
    {R.Log, Logger, [{{:__do_log__, :do_log}, [4]}, bare_log: [2, 3], flush: [0]]},
    {R.Log.Capture, ExUnit.CaptureLog, [capture_log: [1, 2], with_log: [1, 2]]},
    {R.Callbacks, ExUnit.Callbacks,
     [
       on_exit: [1, 2],
       start_supervised: [1, 2],
       start_supervised!: [1, 2],
       start_link_supervised!: [1, 2],
       stop_supervised: [1],
       stop_supervised!: [1]
     ]},
    {R.Assertions, ExUnit.Assertions, [{{:__timeout__, :timeout}, [2]}]},
    {R.Call, :erlang, [apply: [2, 3], make_fun: [3]]},
    {Reflection, :erlang, [function_exported: [3], fun_info: [1, 2], fun_info_mfa: [1], fun_to_list: [1]]},
    {R.Ets.Ownership, :ets, [new: [2], give_away: [3], setopts: [2], rename: [2]]},
    {R.Ets.Information, :ets, [info: [1, 2], whereis: [1], all: [0], safe_fixtable: [2]]},
    {R.Ets.Compiled, :ets, [match_spec_compile: [1], match_spec_run_r: [3], is_compiled_ms: [1]]},
    {R.Ets, :ets,
     [
       insert: [2],
       insert_new: [2],
       lookup: [2],
       lookup_element: [3, 4],
       member: [2],
       delete: [1, 2],
       internal_delete_all: [2],
       delete_object: [2],
       update_counter: [3, 4],
       update_element: [3, 4],
       take: [2],
       select: [1, 2, 3],
       select_count: [2],
       internal_select_delete: [2],
       select_replace: [2],
       select_reverse: [1, 2, 3],
       match: [1, 2, 3],
       match_object: [1, 2, 3],
       first: [1],
       next: [2],
       last: [1],
       prev: [2],
       first_lookup: [1],
       next_lookup: [2],
       last_lookup: [1],
       prev_lookup: [2],
       slot: [2],
       repair_continuation: [2]
     ]},
    {R.Maps, :maps,
     [
       to_list: [1],
       keys: [1],
       values: [1],
       iterator: [1, 2],
       fold: [3],
       foreach: [2],
       map: [2],
       filter: [2],
       filtermap: [2],
       merge_with: [3],
       intersect_with: [3]
     ]},
    {R.Maps, :erts_internal, [mc_iterator: [1]]},
    {R.Terms, :erlang, [term_to_binary: [1, 2], term_to_iovec: [1, 2]]},
    {R.Enumeration, Enum, Enum.map(R.Enumeration.functions(), fn {name, arity} -> {name, [arity]} end)},
    {R.PersistentTerm, :persistent_term, [get: [0, 1, 2], put: [2], put_new: [2], erase: [1], info: [0]]},
    {R.Atomics, :atomics,
     [
       new: [2],
       get: [2],
       put: [3],
       add: [3],
       add_get: [3],
       sub: [3],
       sub_get: [3],
       exchange: [3],
       compare_exchange: [4],
       info: [1]
     ]},
    {R.Counters, :counters, [new: [2], get: [2], put: [3], add: [3], sub: [3], info: [1]]},
    # `Kernel` exports these as functions too: `apply(Kernel, :self, [])` must not get past.
    {R.Message, Kernel, [send: [2]]},
    {R.Process, Kernel, [self: [0]]},
    {R.Spawning, Kernel, [spawn: [1, 3], spawn_link: [1, 3], spawn_monitor: [1, 3]]},
    {R.Unique, Kernel, [make_ref: [0]]},
    {R.Nodes, Kernel, [node: [0, 1]]},
    {R.Call, Kernel, [apply: [2, 3]]},
    {Reflection, Kernel, [function_exported?: [3]]}
  ]

  @doc "All redirects as `{{module, function, arity}, {:runtime, module, function}}`."
  @spec entries() :: [{mfa(), {:runtime, module(), atom()}}]
  def entries do
    for {target, module, functions} <- @rows,
        {name, arities} <- functions,
        arity <- arities do
      {from, to} = if is_tuple(name), do: name, else: {name, name}
      {{module, from, arity}, {:runtime, target, to}}
    end
  end

  # What says where it was called when it fails, or fails long after.
  @placed [
    {R.Eventually, :run, [eventually: 1, eventually: 2]},
    {R.Always, :declare, [always: 2, always: 3]},
    {R.Sometimes, :record, [sometimes: 2]}
  ]

  @doc "Functions of `Lockstep` that go to the runtime with the place of the call as one more argument."
  @spec placed() :: [{mfa(), {:placed, module(), atom()}}]
  def placed do
    for {target, to, functions} <- @placed,
        {from, arity} <- functions,
        do: {{Lockstep, from, arity}, {:placed, target, to}}
  end

  # Modules that a project may have itself, or that are gone from OTP.
  @compat [
    {LocalCluster, Lockstep.Compat.LocalCluster},
    {Schism, Lockstep.Compat.Schism},
    {:pg2, Lockstep.Compat.Pg2}
  ]

  @doc "The modules that have a stand-in inside runs, for projects that want it."
  @spec compat() :: [{module(), module()}]
  def compat, do: @compat

  # The operator `!` is `send/2` as well; of two names the one that they share is the more likely.
  @origins for {target, module, functions} <- Enum.reverse(@rows),
               {name, arities} <- Enum.sort_by(functions, &is_atom(elem(&1, 0))),
               arity <- arities,
               {from, to} = if(is_tuple(name), do: name, else: {name, name}),
               into: %{},
               do: {{target, to, arity}, {module, from}}

  @doc "The function that a function of the runtime stands for, if it stands for one."
  @spec origin(mfa()) :: {module(), atom()} | nil
  def origin(function), do: Map.get(@origins, function)
end
