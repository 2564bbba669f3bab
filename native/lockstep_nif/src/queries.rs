//! Everything that is not a step: the start and end of a session, and questions about it.

use lockstep_core::strategy::{Deed, Done, Plan, Profile};
use lockstep_core::{Config, Event, Kind, Outcome, Place, ProcessId, Simulation, trace_file};
use once_cell::sync::OnceCell;
use rustler::{
    Atom, Binary, Encoder, Env, LocalPid, NifMap, NifResult, NifTaggedEnum, NifUnitEnum, OwnedBinary, ResourceArc, Term,
};

use crate::fault::Fault;
use crate::session::{Inner, Session, atom_text};
use crate::steps::done;
use crate::terms::{self, Status, process};

#[derive(NifMap)]
struct Settings<'a> {
    seed: u64,
    strategy: StrategyName,
    profile: Option<Binary<'a>>,
    max_steps: u64,
    max_virtual_time: u64,
    max_stall: u64,
    max_latency: u64,
    r#async: bool,
    node_order: bool,
    quiescence: bool,
    fail_on_crash: bool,
    fail_on_blocked: bool,
    record: bool,
    control: Atom,
}

#[derive(Debug, NifTaggedEnum)]
enum StrategyName {
    Random,
    Fifo,
    Profile,
    Pos,
    Surw,
    Pct(u32),
    Outside,
    Replay(Vec<u64>),
    Follow(Vec<u64>),
    /// A choice log, of which the trail is kept.
    Along(Vec<u64>),
    /// A trail, as [`trail`] gives it.
    Guided(Vec<(DeedKind, u64, u64, u64)>),
}

/// What kind of deed it is of which a term tells.
#[derive(Debug, Clone, Copy, NifUnitEnum)]
enum DeedKind {
    Act,
    Stall,
    Latency,
    Fault,
}

fn deed((kind, who, at, value): (DeedKind, u64, u64, u64)) -> Deed {
    match kind {
        DeedKind::Act => Deed::Act { who, until: at },
        DeedKind::Stall => Deed::Stall { who, at, length: value },
        DeedKind::Latency => Deed::Latency { who, at, length: value },
        DeedKind::Fault => Deed::Fault { who, at, choice: value },
    }
}

/// A deed as `{kind, who, at, value}`.
fn deed_parts(deed: Deed) -> (DeedKind, u64, u64, u64) {
    match deed {
        Deed::Act { who, until } => (DeedKind::Act, who, until, 0),
        Deed::Stall { who, at, length } => (DeedKind::Stall, who, at, length),
        Deed::Latency { who, at, length } => (DeedKind::Latency, who, at, length),
        Deed::Fault { who, at, choice } => (DeedKind::Fault, who, at, choice),
    }
}

/// The same with what was touched as the value of an act, and the step.
fn done_parts(done: Done) -> (DeedKind, u64, u64, u64, u64) {
    let (kind, who, at, value) = deed_parts(done.deed);
    let value = if matches!(done.deed, Deed::Act { .. }) {
        done.touched
    } else {
        value
    };
    (kind, who, at, value, done.step)
}

impl From<StrategyName> for Plan {
    fn from(name: StrategyName) -> Self {
        match name {
            StrategyName::Random => Plan::Random,
            StrategyName::Fifo => Plan::Fifo,
            StrategyName::Profile => Plan::Profile,
            StrategyName::Pos => Plan::Pos,
            StrategyName::Surw => Plan::Surw,
            StrategyName::Pct(depth) => Plan::Pct(depth),
            StrategyName::Outside => Plan::Outside,
            StrategyName::Replay(choices) => Plan::Replay(choices),
            StrategyName::Follow(choices) => Plan::Follow(choices),
            StrategyName::Along(choices) => Plan::Along(choices),
            StrategyName::Guided(deeds) => Plan::Guided(deeds.into_iter().map(deed).collect()),
        }
    }
}

impl From<Plan> for StrategyName {
    fn from(plan: Plan) -> Self {
        match plan {
            Plan::Random => StrategyName::Random,
            Plan::Fifo => StrategyName::Fifo,
            Plan::Profile => StrategyName::Profile,
            Plan::Pos => StrategyName::Pos,
            Plan::Surw => StrategyName::Surw,
            Plan::Pct(depth) => StrategyName::Pct(depth),
            Plan::Outside => StrategyName::Outside,
            Plan::Replay(choices) => StrategyName::Replay(choices),
            Plan::Follow(choices) => StrategyName::Follow(choices),
            Plan::Along(choices) => StrategyName::Along(choices),
            Plan::Guided(deeds) => StrategyName::Guided(deeds.into_iter().map(deed_parts).collect()),
        }
    }
}

#[derive(Debug, NifTaggedEnum)]
enum Verdict {
    Done,
    Deadlock,
    StepLimit,
    TimeLimit,
    Blocked,
    Crashed(u32),
    Lost(u32),
    Violated,
    Diverged(u64),
    Abandoned,
    Strange,
}

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Verdict::Done,
            Outcome::Deadlock => Verdict::Deadlock,
            Outcome::StepLimit => Verdict::StepLimit,
            Outcome::TimeLimit => Verdict::TimeLimit,
            Outcome::Blocked => Verdict::Blocked,
            Outcome::Crashed(process) => Verdict::Crashed(process.0),
            Outcome::Lost(process) => Verdict::Lost(process.0),
            Outcome::Violated => Verdict::Violated,
            Outcome::Diverged(choice) => Verdict::Diverged(choice),
            Outcome::Abandoned => Verdict::Abandoned,
            Outcome::Strange => Verdict::Strange,
        }
    }
}

#[rustler::nif]
fn new(env: Env<'_>, settings: Settings<'_>, warden: LocalPid) -> NifResult<ResourceArc<Session>> {
    let config = Config {
        seed: settings.seed,
        max_steps: settings.max_steps,
        max_virtual_time: settings.max_virtual_time,
        max_stall: settings.max_stall,
        max_latency: settings.max_latency,
        async_delivery: settings.r#async,
        node_order: settings.node_order,
        quiescence: settings.quiescence,
        fail_on_crash: settings.fail_on_crash,
        fail_on_blocked: settings.fail_on_blocked,
        record: settings.record,
        control: atom_text(settings.control.to_term(env)).map_err(|_| rustler::Error::BadArg)?,
    };
    let profile = settings.profile.map(|bytes| Profile::from_bytes(&bytes)).transpose();
    let profile = profile.map_err(|error| rustler::Error::Term(Box::new(error.to_string())))?;
    let strategy = Plan::from(settings.strategy).strategy(settings.seed, profile.as_ref());
    Ok(ResourceArc::new(Session::new(Inner::new(
        Simulation::new(config, strategy),
        warden,
        settings.control,
    ))))
}

/// The strategy of the portfolio that a seed has.
#[rustler::nif]
fn portfolio(seed: u64) -> StrategyName {
    Plan::of_portfolio(seed).into()
}

/// Defines a NIF that answers a question.
macro_rules! queries {
    ($($name:ident($($arg:ident: [$($ty:tt)+]),*) => |$env:ident, $inner:ident| $answer:expr;)*) => {
        $(
            #[rustler::nif]
            fn $name<'a>(env: Env<'a>, session: &Session, $($arg: $($ty)+),*) -> Term<'a> {
                let $env = env;
                let result: Result<Term<'a>, Fault> = session.with(|$inner| Ok($answer.encode($env)));
                terms::answer($env, result)
            }
        )*
    };
}

queries! {
    born(id: [u32], shown: [Term<'a>], real: [Term<'a>]) => |env, inner| {
        inner.born(ProcessId(id), shown, real)?;
        done(env)
    };
    note(text: [&str], digest: [u64], place: [Option<(&str, u32)>]) => |env, inner| {
        let place = place.map(|(file, line)| Place { file: file.to_owned(), line });
        inner.simulation.note(text.to_owned(), digest, place);
        done(env)
    };
    daemon(pid: [Term<'a>]) => |env, inner| {
        let process = process(inner, pid)?;
        inner.simulation.set_daemon(process);
        done(env)
    };
    owner(pid: [Term<'a>]) => |env, inner| {
        let process = process(inner, pid)?;
        inner.simulation.set_owner(process);
        done(env)
    };
    onlooker() => |env, inner| inner.simulation.onlooker().0;
    look_from(me: [u32], node: [Atom]) => |env, inner| {
        let node = inner.known_node(node, env).ok_or(Fault::BadArgument)?;
        inner.simulation.look_from(ProcessId(me), node)?;
        done(env)
    };
    interleaving() => |env, inner| inner.simulation.interleaving();
    random() => |env, inner| inner.simulation.random();
    now() => |env, inner| inner.simulation.now();
    id(pid: [Term<'a>]) => |env, inner| inner.id(pid).map(|process| process.0);
    real_pid(pid: [Term<'a>]) => |env, inner| inner.id(pid).and_then(|process| inner.pids(process).real);
    alive(pid: [Term<'a>]) => |env, inner| inner.id(pid).is_some_and(|process| inner.simulation.alive(process));
    node_of(pid: [Term<'a>]) => |env, inner| match inner.id(pid).and_then(|process| inner.simulation.node_of(process)) {
        Some(node) => Some(inner.node_atom(node)?),
        None => None,
    };
    of_present_life(pid: [Term<'a>]) => |env, inner| {
        inner.id(pid).is_some_and(|process| inner.simulation.is_of_present_life(process))
    };
    led(pid: [Term<'a>]) => |env, inner| inner.simulation.led(process(inner, pid)?).map(|id| id.0);
    home(id: [u32]) => |env, inner| match inner.simulation.node_of(ProcessId(id)) {
        Some(node) => Some(inner.node_atom(node)?),
        None => None,
    };
    nodes() => |env, inner| {
        let all = inner.simulation.nodes().into_iter();
        all.map(|(node, up)| Ok((inner.node_atom(node)?, up))).collect::<Result<Vec<_>, Fault>>()?
    };
    visible(node: [Atom]) => |env, inner| {
        let nodes = inner.known_node(node, env).map(|node| inner.simulation.visible(node)).unwrap_or_default();
        nodes.into_iter().map(|node| inner.node_atom(node)).collect::<Result<Vec<_>, Fault>>()?
    };
    connections(node: [Atom]) => |env, inner| {
        let all = inner.known_node(node, env).map(|node| inner.simulation.connections(node)).unwrap_or_default();
        let all = all.into_iter().map(|(node, id, hidden)| Ok((inner.node_atom(node)?, id, hidden)));
        all.collect::<Result<Vec<_>, Fault>>()?
    };
    neighbours(node: [Atom]) => |env, inner| {
        let all = inner.known_node(node, env).map(|node| inner.simulation.neighbours(node)).unwrap_or_default();
        all.into_iter().map(|node| inner.node_atom(node)).collect::<Result<Vec<_>, Fault>>()?
    };
    busy(from: [Atom], to: [Atom]) => |env, inner| {
        match (inner.known_node(from, env), inner.known_node(to, env)) {
            (Some(from), Some(to)) => inner.simulation.busy(from, to),
            _ => false,
        }
    };
    node_names() => |env, inner| {
        let all = inner.simulation.node_symbols().into_iter();
        all.map(|name| inner.atom(name)).collect::<Result<Vec<_>, Fault>>()?
    };
    under_way() => |env, inner| inner.simulation.under_way();
    draw(count: [u64]) => |env, inner| inner.simulation.draw(count);
    names(node: [Atom]) => |env, inner| {
        let all = inner.known_node(node, env).map(|node| inner.simulation.names(node)).unwrap_or_default().into_iter();
        all.map(|name| inner.atom(name)).collect::<Result<Vec<_>, Fault>>()?
    };
    info(pid: [Term<'a>]) => |env, inner| {
        let process = process(inner, pid)?;
        let links: Vec<_> = inner.simulation.links(process).into_iter().filter_map(|id| inner.pids(id).shown).collect();
        let name = inner.simulation.registered_name(process).map(|name| inner.atom(name)).transpose()?;
        (links, inner.simulation.traps(process), name, inner.simulation.queue_len(process))
    };
    delivered(pid: [Term<'a>]) => |env, inner| {
        let items = inner.simulation.delivered(process(inner, pid)?);
        terms::items_term(env, inner, &items)?
    };
    relations(pid: [Term<'a>]) => |env, inner| {
        let process = process(inner, pid)?;
        let shown = |id| inner.pids(id).shown;
        let watching: Vec<_> = inner.simulation.watching(process).into_iter().map(|reference| reference.0).collect();
        let watchers: Vec<_> = inner.simulation.watchers(process).into_iter().filter_map(shown).collect();
        let suspending = inner.simulation.suspending(process).into_iter();
        let suspending: Vec<_> = suspending.filter_map(|(id, count)| Some((shown(id)?, count, 0))).collect();
        (watching, watchers, suspending, inner.simulation.activity(process).map(Status::from))
    };
    real_pids() => |env, inner| inner.processes.iter().filter_map(|pids| pids.real).collect::<Vec<_>>();
    waiting() => |env, inner| {
        let all = inner.simulation.waiting().into_iter();
        all.map(|process| (process.0, inner.pids(process).real, inner.simulation.daemon(process))).collect::<Vec<_>>()
    };
    living(pid: [Term<'a>]) => |env, inner| {
        let home = inner.simulation.node_of(process(inner, pid)?);
        let all = inner.simulation.waiting().into_iter();
        let near = all.filter(|&other| inner.simulation.node_of(other) == home && !inner.simulation.looks_on(other));
        near.filter_map(|process| inner.pids(process).shown).collect::<Vec<_>>()
    };
    offer() => |env, inner| inner.simulation.offer().map(|offer| {
        let events: Vec<_> = offer.events.iter().map(|event| terms::offered_term(env, event)).collect();
        (events, offer.max_stall, offer.upcoming)
    });
    outcome() => |env, inner| inner.simulation.outcome().map(Verdict::from);
    stats() => |env, inner| (inner.simulation.steps(), inner.simulation.now(), inner.simulation.hash());
    choices() => |env, inner| inner.simulation.choices().to_vec();
    processes() => |env, inner| {
        let all = (0..inner.simulation.process_count()).map(ProcessId);
        all.map(|process| process_entry(inner, process)).collect::<Result<Vec<_>, Fault>>()?
    };
}

/// On a dirty scheduler, as [`trace`]: a long run has many events.
#[rustler::nif(schedule = "DirtyCpu")]
fn events<'a>(env: Env<'a>, session: &Session) -> Term<'a> {
    let result = session.with(|inner| {
        let all = inner.simulation.trace_events().to_vec();
        let terms = all
            .iter()
            .map(|event| event_term(env, inner, event))
            .collect::<Result<Vec<_>, Fault>>()?;
        Ok(terms.encode(env))
    });
    terms::answer(env, result)
}

/// `{deeds, switches, deviations}`: what a strategy that keeps its trail has done, step by step or in blocks.
#[rustler::nif(schedule = "DirtyCpu")]
fn trail<'a>(env: Env<'a>, session: &Session, each_step: bool) -> Term<'a> {
    let result = session.with(|inner| {
        let Some(trail) = inner.simulation.trail() else {
            return Ok(terms::nil().encode(env));
        };
        let blocks = if each_step {
            trail.deeds().to_vec()
        } else {
            trail.blocks()
        };
        let deeds: Vec<_> = blocks.into_iter().map(done_parts).collect();
        Ok((deeds, trail.switches(), trail.deviations()).encode(env))
    });
    terms::answer(env, result)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn trace<'a>(env: Env<'a>, session: &Session) -> Term<'a> {
    let result = session.with(|inner| {
        let bytes = trace_file::to_bytes(&inner.simulation).map_err(|_| Fault::BadArgument)?;
        Ok(binary(env, &bytes)?.encode(env))
    });
    terms::answer(env, result)
}

/// What a run under the strategy `:profile` has found out about the program; `nil` under any other.
#[rustler::nif(schedule = "DirtyCpu")]
fn profile<'a>(env: Env<'a>, session: &Session) -> Term<'a> {
    let result = session.with(|inner| {
        let bytes = inner.simulation.profile().map(|profile| profile.to_bytes());
        let binary = bytes.map(|bytes| binary(env, &bytes)).transpose()?;
        Ok(binary.encode(env))
    });
    terms::answer(env, result)
}

#[rustler::nif]
fn progress(session: &Session) -> u64 {
    session.progress()
}

#[rustler::nif]
fn close<'a>(env: Env<'a>, session: &Session) -> Term<'a> {
    terms::answer(env, session.close().map(|()| done(env)))
}

fn process_entry(inner: &Inner, process: ProcessId) -> Result<(u32, Atom, Option<Atom>, bool), Fault> {
    let node = inner.simulation.node_of(process).ok_or(Fault::BadArgument)?;
    let name = inner
        .simulation
        .name_of(process)
        .map(|name| inner.atom(name))
        .transpose()?;
    let daemon = inner.simulation.daemon(process);
    Ok((process.0, inner.node_atom(node)?, name, daemon))
}

/// Atoms are the same for the whole life of the VM: each kind is looked up in its table once.
static KINDS: OnceCell<Vec<Atom>> = OnceCell::new();

fn kind_atom(env: Env<'_>, kind: Kind) -> Result<Atom, Fault> {
    let atoms = KINDS.get_or_try_init(|| {
        Kind::ALL
            .iter()
            .map(|kind| Atom::from_str(env, kind.name()))
            .collect::<Result<Vec<_>, _>>()
    })?;
    Ok(atoms[kind as usize])
}

/// `{step, time, process, node, kind, object, detail, digest, text}`; a tuple too long for the derived encoders.
fn event_term<'a>(env: Env<'a>, inner: &mut Inner, event: &Event) -> Result<Term<'a>, Fault> {
    let node = event.node.map(|node| inner.node_atom(node)).transpose()?;
    let fields = [
        event.step.encode(env),
        event.time.encode(env),
        event.process.map(|process| process.0).encode(env),
        node.encode(env),
        kind_atom(env, event.kind)?.encode(env),
        event.object.encode(env),
        event.detail.encode(env),
        event.digest.encode(env),
        binary(env, event.text.as_bytes())?.encode(env),
        event.place.as_ref().map(|place| (&place.file, place.line)).encode(env),
    ];
    Ok(rustler::types::tuple::make_tuple(env, &fields))
}

fn binary<'a>(env: Env<'a>, bytes: &[u8]) -> Result<Binary<'a>, Fault> {
    let mut owned = OwnedBinary::new(bytes.len()).ok_or(Fault::BadArgument)?;
    owned.as_mut_slice().copy_from_slice(bytes);
    Ok(Binary::from_owned(owned, env))
}
