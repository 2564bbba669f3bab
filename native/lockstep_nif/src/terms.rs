//! Operations from terms, answers to terms.

use lockstep_core::strategy::{Actor, Object};
use lockstep_core::{
    Activity, AliasMode, Death, DownReason, ExitClass, Farewell, Grant, Item, MessageId, Next, NodeEvent, Notice,
    Offered, Op, ProcessId, RefId, Refusal, SystemReason, Target, Wait,
};
use rustler::{Atom, Encoder, Env, LocalPid, NifUnitEnum, Term};

use crate::fault::Fault;
use crate::session::Inner;

rustler::atoms! {
    ok,
    nil,
    go,
    pass,
    over,
    choose,
    sent,
    parked,
    stuck,
    timeout,
    requested,
    not_spawned,
    die,
    ended,
    refused,
    down,
    exit,
    nodedown,
    node,
    connected,
    disconnect,
    connection_closed,
    net_tick_timeout,
    wait_pending,
    noproc,
    noconnection,
    killed,
    bad_name,
    node_down,
    forever,
    poll,
    rest,
    lazily,
    nocookie,
}

mod atoms_of_offers {
    rustler::atoms! { process, channel, timer, connection, local, world, name, shared, table }
}

#[derive(Debug, Clone, Copy, NifUnitEnum)]
pub(crate) enum Class {
    Normal,
    Shutdown,
    Kill,
    Crash,
}

impl From<Class> for ExitClass {
    fn from(class: Class) -> Self {
        match class {
            Class::Normal => ExitClass::Normal,
            Class::Shutdown => ExitClass::Shutdown,
            Class::Kill => ExitClass::Kill,
            Class::Crash => ExitClass::Crash,
        }
    }
}

#[derive(Debug, Clone, Copy, NifUnitEnum)]
pub(crate) enum Mode {
    Explicit,
    Demonitor,
    ReplyDemonitor,
    Reply,
}

impl From<Mode> for AliasMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Explicit => AliasMode::Explicit,
            Mode::Demonitor => AliasMode::Demonitor,
            Mode::ReplyDemonitor => AliasMode::ReplyDemonitor,
            Mode::Reply => AliasMode::Reply,
        }
    }
}

/// What a process is doing, as `process_info` names it.
#[derive(Debug, Clone, Copy, NifUnitEnum)]
pub(crate) enum Status {
    Running,
    Runnable,
    Waiting,
    Suspended,
}

impl From<Activity> for Status {
    fn from(activity: Activity) -> Self {
        match activity {
            Activity::Running => Status::Running,
            Activity::Runnable => Status::Runnable,
            Activity::Waiting => Status::Waiting,
            Activity::Suspended => Status::Suspended,
        }
    }
}

pub(crate) fn process(inner: &Inner, term: Term<'_>) -> Result<ProcessId, Fault> {
    inner.id(term).ok_or(if term.is_pid() {
        Fault::Foreign
    } else {
        Fault::BadArgument
    })
}

/// A pid, a name of the caller's node, `{name, node}`, or the number of an alias.
pub(crate) fn target(inner: &mut Inner, me: ProcessId, term: Term<'_>) -> Result<Target, Fault> {
    let env = term.get_env();
    if let Some(process) = inner.id(term) {
        return Ok(Target::Process(process));
    }
    if let Ok(name) = term.decode::<Atom>() {
        let home = inner.simulation.node_of(me).ok_or(Fault::BadArgument)?;
        return Ok(Target::Name(home, inner.symbol(name, env)?));
    }
    if let Ok((name, node)) = term.decode::<(Atom, Atom)>() {
        let node = inner.node(node, env)?;
        return Ok(Target::Name(node, inner.symbol(name, env)?));
    }
    if term.is_pid() {
        return Err(Fault::Foreign);
    }
    Ok(Target::Alias(RefId(term.decode()?)))
}

pub(crate) fn wait(term: Term<'_>) -> Result<Wait, Fault> {
    if let Ok(micros) = term.decode::<u64>() {
        return Ok(Wait::For(micros));
    }
    if let Ok((mode, micros)) = term.decode::<(Atom, u64)>() {
        return if mode == lazily() {
            Ok(Wait::Lazily(micros))
        } else {
            Err(Fault::BadArgument)
        };
    }
    match term.decode::<Atom>()? {
        mode if mode == forever() => Ok(Wait::Forever),
        mode if mode == poll() => Ok(Wait::Poll),
        mode if mode == rest() => Ok(Wait::Rest),
        _ => Err(Fault::BadArgument),
    }
}

/// An event that can be chosen: `{kind, process, lineage, object, identity, write?}`.
pub(crate) fn offered_term<'a>(env: Env<'a>, offered: &Offered) -> Term<'a> {
    let kind = match offered.actor {
        Actor::Process(_) => atoms_of_offers::process(),
        Actor::Channel(..) => atoms_of_offers::channel(),
        Actor::Timer(_) => atoms_of_offers::timer(),
        Actor::SetUp(..) | Actor::Close(..) => atoms_of_offers::connection(),
    };
    let number = offered.candidate.process.map(|process| process.0);
    let object = object_term(env, offered.candidate.object);
    let (lineage, identity) = (offered.lineage.0, offered.identity.0);
    (kind, number, lineage, object, identity, offered.candidate.write).encode(env)
}

fn object_term(env: Env<'_>, object: Object) -> Term<'_> {
    match object {
        Object::Local => atoms_of_offers::local().encode(env),
        Object::World => atoms_of_offers::world().encode(env),
        Object::Process(process) => (atoms_of_offers::process(), process.0).encode(env),
        Object::Name(node, name) => (atoms_of_offers::name(), node, name).encode(env),
        Object::Shared(number) => (atoms_of_offers::shared(), number).encode(env),
        Object::Table { table, entry } => (atoms_of_offers::table(), table, entry).encode(env),
    }
}

/// Announces an operation and encodes whose turn it is then.
pub(crate) fn announce<'a>(env: Env<'a>, inner: &mut Inner, me: ProcessId, op: Op) -> Result<Term<'a>, Fault> {
    let next = inner.simulation.announce(me, op)?;
    next_term(env, inner, Some(me), next)
}

pub(crate) fn next_term<'a>(
    env: Env<'a>,
    inner: &mut Inner,
    me: Option<ProcessId>,
    next: Next,
) -> Result<Term<'a>, Fault> {
    Ok(match next {
        Next::Over => (over(), inner.warden).encode(env),
        Next::Choose => (choose(), inner.warden).encode(env),
        Next::Go(process, grant) => {
            let answer = grant_term(env, inner, grant)?;
            let answer = match inner.simulation.stuck(process) {
                Some(_) => (stuck(), answer).encode(env),
                None => answer,
            };
            if Some(process) == me {
                (go(), answer).encode(env)
            } else {
                (pass(), real(inner, process)?, answer).encode(env)
            }
        }
    })
}

fn real(inner: &Inner, process: ProcessId) -> Result<LocalPid, Fault> {
    inner
        .pids(process)
        .real
        .ok_or(Fault::Misuse(lockstep_core::Misuse::UnknownProcess))
}

fn shown<'a>(env: Env<'a>, inner: &Inner, process: ProcessId) -> Term<'a> {
    inner
        .pids(process)
        .shown
        .map_or_else(|| nil().encode(env), |pid| pid.encode(env))
}

fn grant_term<'a>(env: Env<'a>, inner: &mut Inner, grant: Grant) -> Result<Term<'a>, Fault> {
    Ok(match grant {
        Grant::Done => ok().encode(env),
        Grant::Bool(value) => value.encode(env),
        Grant::Sent(process, MessageId(id)) => (sent(), real(inner, process)?, id).encode(env),
        Grant::Items(items) => items_term(env, inner, &items)?,
        Grant::TimedOut => timeout().encode(env),
        Grant::Spawned(Some(process)) => process.0.encode(env),
        Grant::Spawned(None) => noconnection().encode(env),
        Grant::Requested(process, MessageId(id)) => (requested(), process.0, id).encode(env),
        Grant::Process(Some(process)) => shown(env, inner, process),
        Grant::Process(None) => nil().encode(env),
        Grant::Parked(MessageId(id)) => (parked(), id).encode(env),
        Grant::Timer(Some((left, MessageId(id)))) => (left, id).encode(env),
        Grant::Timer(None) => false.encode(env),
        Grant::Node(node) => inner.node_atom(node)?.encode(env),
        Grant::Count(count) => count.encode(env),
        Grant::Ended => ended().encode(env),
        Grant::Die(Death::Signal(MessageId(id))) => (die(), id).encode(env),
        Grant::Die(Death::System(reason)) => (die(), reason_atom(reason)).encode(env),
        Grant::Refused(refusal) => (refused(), refusal_atom(refusal)).encode(env),
    })
}

pub(crate) fn items_term<'a>(env: Env<'a>, inner: &mut Inner, items: &[Item]) -> Result<Term<'a>, Fault> {
    let terms: Result<Vec<_>, Fault> = items.iter().map(|item| item_term(env, inner, *item)).collect();
    Ok(terms?.encode(env))
}

fn item_term<'a>(env: Env<'a>, inner: &mut Inner, item: Item) -> Result<Term<'a>, Fault> {
    Ok(match item {
        Item::Term(MessageId(id)) => id.encode(env),
        Item::Parked(MessageId(id)) => (parked(), id).encode(env),
        Item::Down(RefId(reference), reason) => (down(), reference, reason_atom(reason)).encode(env),
        Item::Exit(from, reason) => (exit(), shown(env, inner, from), reason_atom(reason)).encode(env),
        Item::NotSpawned(MessageId(id)) => (not_spawned(), id).encode(env),
        Item::NodeDown(node) => (nodedown(), inner.node_atom(node)?).encode(env),
        Item::Node(event) => node_event(env, inner, event)?,
        Item::Connected(RefId(reference), up) => (connected(), reference, up).encode(env),
    })
}

/// `{:node, node, reason, connection, hidden, shape}`; the reason is nil for a node that has come.
fn node_event<'a>(env: Env<'a>, inner: &Inner, event: NodeEvent) -> Result<Term<'a>, Fault> {
    let reason = event.down.map(down_reason_atom);
    let name = inner.node_atom(event.node)?;
    Ok((node(), name, reason, event.connection, event.hidden, event.shape).encode(env))
}

fn down_reason_atom(reason: DownReason) -> Atom {
    match reason {
        DownReason::Disconnect => disconnect(),
        DownReason::ConnectionClosed => connection_closed(),
        DownReason::NetTickTimeout => net_tick_timeout(),
        DownReason::WaitPending => wait_pending(),
    }
}

pub(crate) fn farewell_term<'a>(env: Env<'a>, inner: &Inner, farewell: &Farewell) -> Result<Term<'a>, Fault> {
    let heirs = notices_term(env, inner, &farewell.heirs)?;
    Ok((heirs, notices_term(env, inner, &farewell.ties)?).encode(env))
}

fn notices_term<'a>(env: Env<'a>, inner: &Inner, notices: &[Notice]) -> Result<Term<'a>, Fault> {
    let terms: Result<Vec<_>, Fault> = notices
        .iter()
        .map(|notice| {
            let monitor = notice.monitor.map(|RefId(reference)| reference);
            Ok((real(inner, notice.to)?, notice.id.0, monitor).encode(env))
        })
        .collect();
    Ok(terms?.encode(env))
}

fn reason_atom(reason: SystemReason) -> Atom {
    match reason {
        SystemReason::Noproc => noproc(),
        SystemReason::Noconnection => noconnection(),
        SystemReason::Nodedown => nodedown(),
        SystemReason::Killed => killed(),
    }
}

fn refusal_atom(refusal: Refusal) -> Atom {
    match refusal {
        Refusal::Noproc => noproc(),
        Refusal::BadName => bad_name(),
        Refusal::NodeDown => node_down(),
    }
}

/// `{:error, reason}` where there is no answer.
pub(crate) fn answer<'a>(env: Env<'a>, result: Result<Term<'a>, Fault>) -> Term<'a> {
    result.unwrap_or_else(|fault| fault.encode(env))
}
