defmodule Lockstep.Instrument.Calls.OTP do
  @moduledoc false
  # How the modules of kernel, stdlib and a few more Erlang applications are treated. A module on no list is :guest.

  # Pure, or confined to the calling process. Functions that take closures run guest closures unharmed. Pure modules that
  # go through maps (`:sets`, `:io_lib`) are guests, see `Lockstep.Runtime.Maps`.
  @native [
    # stdlib
    :array,
    :base64,
    :binary,
    :dict,
    :erl_abstract_code,
    :erl_anno,
    :erl_bits,
    :erl_error,
    :erl_erts_errors,
    :erl_expand_records,
    :erl_features,
    :erl_internal,
    :erl_kernel_errors,
    :erl_lint,
    :erl_posix_msg,
    :erl_pp,
    :erl_scan,
    :erl_stdlib_errors,
    :gb_sets,
    :gb_trees,
    :io_lib_fread,
    :lists,
    :maps,
    :math,
    :ms_transform,
    :orddict,
    :ordsets,
    :otp_internal,
    :queue,
    :rand,
    :random,
    :re,
    :string,
    :unicode,
    :unicode_util,
    :uri_string,
    :zlib,
    # compiler, syntax_tools
    :cerl,
    :cerl_trees,
    :erl_syntax,
    :erl_syntax_lib
  ]

  # Files, sockets, ports, code loading, VM-wide state.
  @escapes [
    :atomics,
    :beam_lib,
    :c,
    :code_server,
    :compile,
    :counters,
    :cover,
    :cprof,
    :dbg,
    :dets,
    :dets_server,
    :dets_sup,
    :dets_utils,
    :dets_v9,
    :disk_log,
    :disk_log_1,
    :disk_log_server,
    :disk_log_sup,
    :edlin,
    :edlin_expand,
    :eprof,
    :erl_compile,
    :erl_compile_server,
    :erl_ddll,
    :erl_eval,
    :eval_bits,
    :erl_signal_handler,
    :erl_tar,
    :erl_tracer,
    :error_handler,
    :error_logger_file_h,
    :error_logger_tty_h,
    :erts_code_purger,
    :erts_dirty_process_signal_handler,
    :erts_literal_area_collector,
    :escript,
    :file_io_server,
    :file_server,
    :file_sorter,
    :filelib,
    :fprof,
    :gen_sctp,
    :gen_tcp,
    :gen_tcp_socket,
    :gen_udp,
    :gen_udp_socket,
    :group,
    :group_history,
    :httpc,
    :inet6_sctp,
    :inet6_tcp,
    :inet6_udp,
    :inet_config,
    :inet_db,
    :inet_dns,
    :inet_gethost_native,
    :inet_hosts,
    :inet_res,
    :inet_sctp,
    :inet_tcp,
    :inet_udp,
    :instrument,
    :kernel_config,
    :kernel_refc,
    :lcnt,
    :local_tcp,
    :local_udp,
    :logger_backend,
    :logger_config,
    :logger_disk_log_h,
    :logger_h_common,
    :logger_handler_watcher,
    :logger_olp,
    :logger_proxy,
    :logger_server,
    :logger_simple_h,
    :logger_std_h,
    :logger_sup,
    :msacc,
    :net,
    :observer,
    :observer_backend,
    :persistent_term,
    :prim_buffer,
    :prim_eval,
    :prim_file,
    :prim_inet,
    :prim_net,
    :prim_socket,
    :prim_tty,
    :prim_zip,
    :ram_file,
    :raw_file_io,
    :raw_file_io_compressed,
    :raw_file_io_deflate,
    :raw_file_io_delayed,
    :raw_file_io_inflate,
    :raw_file_io_list,
    :scheduler,
    :seq_trace,
    :shell,
    :shell_default,
    :socket,
    :socket_registry,
    :ssl,
    :standard_error,
    :trace,
    :ttb,
    :user,
    :user_drv,
    :user_sup,
    :win32reg,
    :wrap_log_reader,
    :zip
  ]

  # The real distribution, which knows nothing of the simulated one.
  @refused [
    :auth,
    :dist_ac,
    :dist_util,
    :erl_boot_server,
    :erl_distribution,
    :erl_epmd,
    :erl_init,
    :erl_reply,
    :heart,
    :inet_tcp_dist,
    :inet6_tcp_dist,
    :peer,
    :pool,
    :slave
  ]

  # `{module, default, exceptions}`; an exception is `{class, functions}`, a function counts with every arity up to 6
  # unless given with its arities.
  @mixed [
    {:calendar, :native,
     [
       {:guest,
        ~w(local_time_to_universal_time local_time_to_universal_time_dst now_to_local_time system_time_to_local_time
           system_time_to_rfc3339 universal_time_to_local_time)a}
     ]},
    {:code, :escape,
     [
       {:native,
        ~w(ensure_loaded ensure_modules_loaded get_doc get_mode get_object_code get_path is_loaded is_sticky lib_dir
           module_md5 module_status objfile_extension priv_dir root_dir which where_is_file)a}
     ]},
    # Ciphers, digests and codecs are functions of their arguments; what draws randomness is an escape.
    {:crypto, :escape,
     [
       {:native, ~w(bytes_to_integer cipher_info compute_key crypto_final crypto_get_data crypto_init crypto_one_time
           crypto_one_time_aead crypto_update ec_curve ec_curves exor hash hash_equals hash_final hash_final_xof
           hash_info hash_init hash_update hash_xof info info_fips info_lib mac macN mac_final mac_finalN mac_init
           mac_update mod_pow pbkdf2_hmac public_decrypt supports verify)a}
     ]},
    {:file, :escape, [{:native, ~w(format_error)a}]},
    {:init, :escape, [{:refuse, ~w(boot make_permanent notify_when_started reboot restart run_on_load_handlers)a}]},
    # Reading an application's specification is like loading its code.
    {:erl_prim_loader, :escape, [{:native, ~w(get_file list_dir read_file read_file_info)a}]},
    # It makes terms of maps, in the order of their keys.
    {:erl_parse, :native, [{:guest, ~w(abstract)a}]},
    {:epp, :escape, [{:native, ~w(default_encoding encoding_to_string format_error read_encoding_from_binary)a}]},
    {:erts_internal, :escape,
     [{:native, [binary_to_integer: [2], list_to_integer: [2], map_next: [3], mc_refill: [1]]}]},
    {:proplists, :native, [{:guest, ~w(from_map)a}]},
    {:erts_debug, :escape, [{:native, ~w(flat_size same size size_shared)a}]},
    {:ets, :escape,
     [
       {:native, ~w(fun2ms test_ms)a},
       # Written in Erlang, of the functions that are redirected.
       {:guest, ~w(delete_all_objects file2tab foldl foldr i init_table match_delete match_spec_run select_delete
            tab2file tab2list tabfile_info table)a}
     ]},
    {:inet, :escape,
     [
       {:native,
        ~w(format_error ipv4_mapped_ipv6_address is_ip_address is_ipv4_address is_ipv6_address ntoa parse_address
           parse_ipv4_address parse_ipv4strict_address parse_ipv6_address parse_ipv6strict_address
           parse_strict_address)a}
     ]},
    {:io, :guest, [{:native, ~w(printable_range)a}]},
    {:logger, :escape,
     [
       {:native, ~w(allow compare_levels format_otp_report format_report get_config get_module_level
           get_primary_config get_process_metadata set_process_metadata unset_process_metadata
           update_process_metadata)a}
     ]},
    {:net_adm, :refuse, [{:guest, ~w(ping)a}]},
    {:net_kernel, :refuse, [{:native, ~w(dflag_unicode_io)a}, {:guest, ~w(monitor_nodes)a}]},
    {:os, :escape, [{:native, ~w(env getenv type version)a}]}
  ]

  @doc "Modules that run as they are."
  @spec native() :: [module()]
  def native, do: @native

  @doc "Modules with effects that are not simulated."
  @spec escapes() :: [module()]
  def escapes, do: @escapes

  @doc "Modules no function of which may be called."
  @spec refused() :: [module()]
  def refused, do: @refused

  @doc "Modules whose functions differ."
  @spec mixed() :: [{module(), atom(), [{atom(), list()}]}]
  def mixed, do: @mixed
end
