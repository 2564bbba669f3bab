//! The scheduling points: one function an operation.
//!
//! Each takes the session and the caller's number first, and answers whose turn it is then.

use lockstep_core::strategy::{Answer, Object};
use lockstep_core::{Latency, NodeId, Op, PartitionMode, ProcessId, RefId, Request, Setting, Subscription, Symbol};
use rustler::{Atom, Decoder, Encoder, Env, LocalPid, NifResult, NifTaggedEnum, NifUnitEnum, Term};

use crate::fault::Fault;
use crate::session::{Inner, Session};
use crate::terms::{self, Class, Mode};

/// Decodes an operation, announces it, encodes the answer.
fn step<'a>(
    env: Env<'a>,
    session: &Session,
    me: u32,
    op: impl FnOnce(&mut Inner, ProcessId) -> Result<Op, Fault>,
) -> Term<'a> {
    let me = ProcessId(me);
    let result = session.with(|inner| {
        // Before the arguments: decoding them may give numbers to new names, which is part of the run.
        inner.simulation.check_turn(me)?;
        let op = op(inner, me)?;
        terms::announce(env, inner, me, op)
    });
    terms::answer(env, result)
}

/// Defines a NIF an operation. Types stand in brackets: the attribute of rustler wants their bare tokens.
macro_rules! steps {
    ($($name:ident($($arg:ident: [$($ty:tt)+]),*) => |$env:ident, $inner:ident, $me:ident| $op:expr;)*) => {
        $(
            #[rustler::nif]
            fn $name<'a>(env: Env<'a>, session: &Session, me: u32, $($arg: $($ty)+),*) -> Term<'a> {
                let $env = env;
                step($env, session, me, |$inner, $me| $op)
            }
        )*
    };
}

steps! {
    send(to: [Term<'a>]) => |env, inner, me| Ok(Op::Send(terms::target(inner, me, to)?));
    send_if_connected(to: [Term<'a>]) => |env, inner, me| Ok(Op::SendIfConnected(terms::target(inner, me, to)?));
    weigh(bytes: [u64], suspend: [bool]) => |env, _inner, _me| Ok(Op::Weigh { bytes, suspend });
    receive(mode: [Term<'a>]) => |env, _inner, _me| Ok(Op::Receive(terms::wait(mode)?));
    spawn(node: [Atom], link: [bool], monitor: [Option<u64>], mode: [Option<Mode>]) => |env, inner, _me| {
        let (monitor, alias) = (monitor.map(RefId), mode.map(Into::into));
        Ok(Op::Spawn { node: inner.node(node, env)?, link, monitor, alias, request: None })
    };
    spawn_request(node: [Atom], link: [bool], monitor: [bool], request: [(Option<Mode>, u64, bool, bool)]) =>
    |env, inner, _me| {
        let (mode, reference, success, failure) = request;
        let request = Some(Request { reference: RefId(reference), success, failure });
        let (monitor, alias) = (monitor.then_some(RefId(reference)), mode.map(Into::into));
        Ok(Op::Spawn { node: inner.node(node, env)?, link, monitor, alias, request })
    };
    abandon(reference: [u64]) => |env, _inner, _me| Ok(Op::Abandon(RefId(reference)));
    look(pid: [Term<'a>]) => |env, inner, _me| {
        let all = pid.is_atom();
        Ok(Op::Look(if all { None } else { Some(terms::process(inner, pid)?) }))
    };
    lead(pid: [Term<'a>]) => |env, inner, _me| Ok(Op::Lead(terms::process(inner, pid)?));
    suspend(pid: [Term<'a>], once: [bool]) => |env, inner, _me| {
        Ok(Op::Suspend { process: terms::process(inner, pid)?, once })
    };
    resume(pid: [Term<'a>]) => |env, inner, _me| Ok(Op::Resume(terms::process(inner, pid)?));
    link(pid: [Term<'a>]) => |env, inner, _me| Ok(Op::Link(terms::process(inner, pid)?));
    unlink(pid: [Term<'a>]) => |env, inner, _me| Ok(Op::Unlink(terms::process(inner, pid)?));
    monitor(item: [Term<'a>], reference: [u64], mode: [Option<Mode>]) => |env, inner, me| {
        let target = terms::target(inner, me, item)?;
        Ok(Op::Monitor { target, reference: RefId(reference), alias: mode.map(Into::into) })
    };
    demonitor(reference: [u64]) => |env, _inner, _me| Ok(Op::Demonitor(RefId(reference)));
    alias(reference: [u64], mode: [Mode]) => |env, _inner, _me| Ok(Op::Alias(RefId(reference), mode.into()));
    unalias(reference: [u64]) => |env, _inner, _me| Ok(Op::Unalias(RefId(reference)));
    signal(pid: [Term<'a>], class: [Class]) => |env, inner, _me| Ok(Op::Signal(terms::process(inner, pid)?, class.into()));
    exit(class: [Class]) => |env, _inner, _me| Ok(Op::Exit(class.into()));
    trap_exit(on: [bool]) => |env, _inner, _me| Ok(Op::TrapExit(on));
    register(name: [Atom], pid: [Term<'a>]) => |env, inner, _me| {
        Ok(Op::Register(inner.symbol(name, env)?, terms::process(inner, pid)?))
    };
    unregister(name: [Atom]) => |env, inner, _me| Ok(Op::Unregister(inner.symbol(name, env)?));
    whereis(name: [Atom]) => |env, inner, _me| Ok(Op::Whereis(inner.symbol(name, env)?));
    start_timer(after: [u64], to: [Term<'a>], reference: [u64]) => |env, inner, me| {
        Ok(Op::StartTimer { after, target: terms::target(inner, me, to)?, reference: RefId(reference) })
    };
    cancel_timer(reference: [u64]) => |env, _inner, _me| Ok(Op::CancelTimer(RefId(reference)));
    read_timer(reference: [u64]) => |env, _inner, _me| Ok(Op::ReadTimer(RefId(reference)));
    access(object: [u64], write: [bool]) => |env, _inner, _me| Ok(Op::Access { object: Object::Shared(object), write });
    access_table(table: [Option<u32>], entry: [Option<u32>], write: [bool]) => |env, _inner, _me| {
        let object = table.map_or(Object::World, |table| Object::Table { table, entry });
        Ok(Op::Access { object, write })
    };
    partition(groups: [Vec<Names>], mode: [CutMode]) => |env, inner, _me| {
        Ok(Op::Partition(nodes(inner, env, groups)?, mode.into()))
    };
    cut_one_way(from: [Names], to: [Names], mode: [CutMode]) => |env, inner, _me| {
        Ok(Op::CutOneWay { from: group(inner, env, from.0)?, to: group(inner, env, to.0)?, mode: mode.into() })
    };
    heal(scope: [Scope]) => |env, inner, _me| Ok(Op::Heal(scope.read(inner, env)?));
    release(from: [Names], to: [Names]) => |env, inner, _me| {
        Ok(Op::Release { from: group(inner, env, from.0)?, to: group(inner, env, to.0)? })
    };
    set_latency(between: [Option<(Atom, Atom)>], ranges: [Ranges]) => |env, inner, _me| {
        let between = between.map(|(a, b)| Ok::<_, Fault>((inner.node(a, env)?, inner.node(b, env)?))).transpose()?;
        Ok(Op::SetLatency { between, latency: Latency(ranges.0) })
    };
    watch(again: [bool]) => |env, _inner, _me| Ok(Op::Watch(again));
    set_tick_time(micros: [u64]) => |env, _inner, _me| Ok(Op::SetTickTime(micros));
    stop_node(node: [Atom]) => |env, inner, _me| Ok(Op::StopNode(inner.node(node, env)?));
    crash_node(node: [Atom], orderly: [bool]) => |env, inner, _me| {
        Ok(Op::CrashNode { node: inner.node(node, env)?, orderly })
    };
    start_node(node: [Atom], connect: [bool]) => |env, inner, _me| {
        Ok(Op::StartNode { name: inner.symbol(node, env)?, connect })
    };
    pause_node(node: [Atom], on: [bool]) => |env, inner, _me| Ok(Op::PauseNode(inner.node(node, env)?, on));
    pause(pid: [Term<'a>], micros: [u64]) => |env, inner, _me| Ok(Op::Pause(terms::process(inner, pid)?, micros));
    configure(node: [Atom], setting: [NodeSetting]) => |env, inner, _me| {
        let node = inner.node(node, env)?;
        Ok(Op::Configure(node, setting.read(inner, env)?))
    };
    join(a: [Atom], b: [Atom]) => |env, inner, _me| Ok(Op::Join(inner.node(a, env)?, inner.node(b, env)?));
    connect(node: [Atom], reference: [u64]) => |env, inner, _me| {
        Ok(Op::Connect(inner.node(node, env)?, RefId(reference)))
    };
    disconnect(from: [Atom], node: [Atom]) => |env, inner, _me| {
        Ok(Op::Disconnect(inner.node(from, env)?, inner.node(node, env)?))
    };
    monitor_nodes(shape: [u32], kinds: [(bool, bool)], on: [bool]) => |env, _inner, _me| {
        let (visible, hidden) = kinds;
        Ok(Op::MonitorNodes { subscription: Subscription { shape, visible, hidden }, on })
    };
    monitor_node(node: [Atom], lost: [bool], on: [bool]) => |env, inner, _me| {
        Ok(Op::MonitorNode { node: inner.node(node, env)?, lost, on })
    };
}

#[rustler::nif(name = "yield")]
fn yield_turn<'a>(env: Env<'a>, session: &Session, me: u32) -> Term<'a> {
    step(env, session, me, |_inner, _me| Ok(Op::Yield))
}

/// The first decision.
#[rustler::nif]
fn begin<'a>(env: Env<'a>, session: &Session) -> Term<'a> {
    let result = session.with(|inner| {
        let next = inner.simulation.begin()?;
        terms::next_term(env, inner, None, next)
    });
    terms::answer(env, result)
}

/// Makes the choice that was asked for.
#[rustler::nif]
fn answer<'a>(env: Env<'a>, session: &Session, index: usize, stall: u64) -> Term<'a> {
    let result = session.with(|inner| {
        let next = inner.simulation.answer(Answer { index, stall })?;
        terms::next_term(env, inner, None, next)
    });
    terms::answer(env, result)
}

/// The caller has seen what must not be: the run is over.
#[rustler::nif]
fn violated<'a>(env: Env<'a>, session: &Session, me: u32) -> Term<'a> {
    let result = session.with(|inner| {
        let next = inner.simulation.violated(ProcessId(me))?;
        terms::next_term(env, inner, Some(ProcessId(me)), next)
    });
    terms::answer(env, result)
}

/// A real process is gone.
#[rustler::nif]
fn reaped<'a>(env: Env<'a>, session: &Session, real: Term<'a>) -> Term<'a> {
    let result = session.with(|inner| {
        let id = inner.bury(real).ok_or(Fault::Foreign)?;
        let next = inner.simulation.reaped(id)?;
        terms::next_term(env, inner, None, next)
    });
    terms::answer(env, result)
}

/// A process that was told that it has ended, or to die, says that it does; who must hear of it.
#[rustler::nif]
fn finish<'a>(env: Env<'a>, session: &Session, me: u32, heirs: Vec<LocalPid>) -> Term<'a> {
    let result = session.with(|inner| {
        let heirs: Result<Vec<_>, Fault> = heirs.iter().map(|pid| terms::process(inner, pid.encode(env))).collect();
        let farewell = inner.simulation.finish(ProcessId(me), &heirs?)?;
        terms::farewell_term(env, inner, &farewell)
    });
    terms::answer(env, result)
}

/// Takes what has been delivered to the caller.
#[rustler::nif]
fn fetch<'a>(env: Env<'a>, session: &Session, me: u32) -> Term<'a> {
    let result = session.with(|inner| {
        let items = inner.simulation.fetch(ProcessId(me))?;
        terms::items_term(env, inner, &items)
    });
    terms::answer(env, result)
}

/// A cookie as the core knows it, which has none for the one that every node begins with.
fn secret(inner: &mut Inner, env: Env<'_>, cookie: Atom) -> Result<Option<Symbol>, Fault> {
    if cookie == terms::nocookie() {
        Ok(None)
    } else {
        inner.symbol(cookie, env).map(Some)
    }
}

#[derive(Debug, Clone, Copy, NifUnitEnum)]
enum CutMode {
    Drop,
    Defer,
    Tcp,
    Hold,
}

impl From<CutMode> for PartitionMode {
    fn from(mode: CutMode) -> Self {
        match mode {
            CutMode::Drop => PartitionMode::Drop,
            CutMode::Defer => PartitionMode::Defer,
            CutMode::Tcp => PartitionMode::Tcp,
            CutMode::Hold => PartitionMode::Hold,
        }
    }
}

/// `:all`, `{:node, node}` or `{:between, node, node}`.
#[derive(Debug, Clone, Copy, NifTaggedEnum)]
enum Scope {
    All,
    Node(Atom),
    Between(Atom, Atom),
}

impl Scope {
    fn read(self, inner: &mut Inner, env: Env<'_>) -> Result<lockstep_core::Scope, Fault> {
        Ok(match self {
            Scope::All => lockstep_core::Scope::All,
            Scope::Node(node) => lockstep_core::Scope::Node(inner.node(node, env)?),
            Scope::Between(a, b) => lockstep_core::Scope::Between(inner.node(a, env)?, inner.node(b, env)?),
        })
    }
}

#[derive(Debug, Clone, Copy, NifUnitEnum)]
enum AutoConnect {
    Always,
    Never,
    Once,
}

/// `{:hidden, boolean}`, `{:tick, micros, intensity}` and so on; times are microseconds.
#[derive(Debug, Clone, NifTaggedEnum)]
#[rustler(decode)]
enum NodeSetting {
    Hidden(bool),
    Alive(bool),
    AutoConnect(AutoConnect),
    Allow(Names),
    Cookie(Atom),
    CookieFor(Atom, Atom),
    Tick(u64, u64),
}

impl NodeSetting {
    fn read(self, inner: &mut Inner, env: Env<'_>) -> Result<Setting, Fault> {
        Ok(match self {
            NodeSetting::Hidden(hidden) => Setting::Hidden(hidden),
            NodeSetting::Alive(alive) => Setting::Alive(alive),
            NodeSetting::AutoConnect(AutoConnect::Always) => Setting::AutoConnect(lockstep_core::AutoConnect::Always),
            NodeSetting::AutoConnect(AutoConnect::Never) => Setting::AutoConnect(lockstep_core::AutoConnect::Never),
            NodeSetting::AutoConnect(AutoConnect::Once) => Setting::AutoConnect(lockstep_core::AutoConnect::Once),
            NodeSetting::Allow(nodes) => Setting::Allow(group(inner, env, nodes.0)?),
            NodeSetting::Cookie(cookie) => Setting::Cookie(None, secret(inner, env, cookie)?),
            NodeSetting::CookieFor(other, cookie) => {
                let other = inner.node(other, env)?;
                Setting::Cookie(Some(other), secret(inner, env, cookie)?)
            }
            NodeSetting::Tick(time, intensity) => Setting::Tick(time, intensity),
        })
    }
}

fn group(inner: &mut Inner, env: Env<'_>, names: Vec<Atom>) -> Result<Vec<NodeId>, Fault> {
    names.into_iter().map(|name| inner.node(name, env)).collect()
}

fn nodes(inner: &mut Inner, env: Env<'_>, groups: Vec<Names>) -> Result<Vec<Vec<NodeId>>, Fault> {
    groups.into_iter().map(|names| group(inner, env, names.0)).collect()
}

/// `{weight, least, most}`, in microseconds; at least one, and the weights add up.
#[derive(Debug)]
struct Ranges(Vec<(u64, u64, u64)>);

impl<'a> Decoder<'a> for Ranges {
    fn decode(term: Term<'a>) -> NifResult<Self> {
        term.list_length()?;
        let ranges: Vec<(u64, u64, u64)> = term.decode()?;
        let total = ranges
            .iter()
            .try_fold(0u64, |total, &(weight, ..)| total.checked_add(weight));
        match total {
            Some(total) if total > 0 => Ok(Ranges(ranges)),
            _ => Err(rustler::Error::BadArg),
        }
    }
}

/// Names of nodes. The decoder of lists panics where an improper one ends.
#[derive(Debug, Clone)]
struct Names(Vec<Atom>);

impl<'a> Decoder<'a> for Names {
    fn decode(term: Term<'a>) -> NifResult<Self> {
        term.list_length()?;
        term.decode().map(Names)
    }
}

/// `:ok`, for calls that have nothing else to say.
pub(crate) fn done(env: Env<'_>) -> Term<'_> {
    terms::ok().encode(env)
}
