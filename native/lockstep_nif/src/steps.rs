//! The scheduling points: one function an operation.
//!
//! Each takes the session and the caller's number first, and answers whose turn it is then.

use lockstep_core::strategy::Object;
use lockstep_core::{NodeId, Op, PartitionMode, ProcessId, RefId, Request};
use rustler::{Atom, Encoder, Env, LocalPid, NifUnitEnum, Term};

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
    partition(groups: [Vec<Vec<Atom>>], mode: [CutMode]) => |env, inner, _me| {
        Ok(Op::Partition(nodes(inner, env, groups)?, mode.into()))
    };
    heal() => |env, _inner, _me| Ok(Op::Heal);
    set_tick_time(micros: [u64]) => |env, _inner, _me| Ok(Op::SetTickTime(micros));
    stop_node(node: [Atom]) => |env, inner, _me| Ok(Op::StopNode(inner.node(node, env)?));
    start_node(node: [Atom]) => |env, inner, _me| Ok(Op::StartNode(inner.symbol(node, env)?));
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

#[derive(Debug, Clone, Copy, NifUnitEnum)]
enum CutMode {
    Drop,
    Defer,
}

impl From<CutMode> for PartitionMode {
    fn from(mode: CutMode) -> Self {
        match mode {
            CutMode::Drop => PartitionMode::Drop,
            CutMode::Defer => PartitionMode::Defer,
        }
    }
}

fn nodes(inner: &mut Inner, env: Env<'_>, groups: Vec<Vec<Atom>>) -> Result<Vec<Vec<NodeId>>, Fault> {
    let group = |names: Vec<Atom>| names.into_iter().map(|name| inner.node(name, env)).collect();
    groups.into_iter().map(group).collect()
}

/// `:ok`, for calls that have nothing else to say.
pub(crate) fn done(env: Env<'_>) -> Term<'_> {
    terms::ok().encode(env)
}
