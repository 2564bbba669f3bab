//! Random programs, and what must hold in every run of every one of them.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use lockstep_core::strategy::{Deed, Fifo, Guided, Object, Random, Replay};
use lockstep_core::{
    AliasMode, CONTROL, Config, ExitClass, Grant, Kind, Load, NodeId, Op, Outcome, PartitionMode, ProcessId, RefId,
    Request, Scope, Simulation, Target, Wait,
};
use proptest::prelude::*;
use support::{A, B, C, NAMES, NODES, Player, Program, config, play};

/// An operation whose objects are chosen among those that are there when it is announced.
#[derive(Debug, Clone)]
enum Act {
    Send(u8),
    SendName(u8, u8),
    SendAlias(u8),
    Receive(Wait, u8),
    Spawn {
        node: u8,
        link: bool,
        monitor: bool,
    },
    Request {
        node: u8,
        link: bool,
        monitor: bool,
        reply: bool,
    },
    Abandon(u8),
    Look(u8),
    Suspend(u8, bool),
    Resume(u8),
    Link(u8),
    Unlink(u8),
    Monitor(u8, Option<AliasMode>),
    MonitorName(u8, u8),
    Demonitor(u8),
    Alias(AliasMode),
    Unalias(u8),
    Signal(u8, ExitClass),
    Exit(ExitClass),
    TrapExit(bool),
    Register(u8, u8),
    Unregister(u8),
    Whereis(u8),
    StartTimer(u32, u8),
    StartNameTimer(u32, u8),
    CancelTimer(u8),
    ReadTimer(u8),
    Access(u8, bool),
    Yield,
    Partition(u8, PartitionMode),
    Heal,
    SetTickTime(u32),
    StopNode(u8),
    StartNode(u8),
    MonitorNode(u8, bool, bool),
}

fn waits() -> impl Strategy<Value = Wait> {
    prop_oneof![
        2 => Just(Wait::Poll),
        1 => Just(Wait::Forever),
        3 => (0u64..200_000).prop_map(Wait::For),
    ]
}

fn classes() -> impl Strategy<Value = ExitClass> {
    prop_oneof![
        Just(ExitClass::Normal),
        Just(ExitClass::Shutdown),
        Just(ExitClass::Kill),
        Just(ExitClass::Crash),
    ]
}

fn modes() -> impl Strategy<Value = AliasMode> {
    prop_oneof![
        Just(AliasMode::Explicit),
        Just(AliasMode::Demonitor),
        Just(AliasMode::ReplyDemonitor),
        Just(AliasMode::Reply),
    ]
}

fn cuts() -> impl Strategy<Value = PartitionMode> {
    prop_oneof![Just(PartitionMode::Drop), Just(PartitionMode::Defer)]
}

fn acts() -> impl Strategy<Value = Act> {
    let n = any::<u8>;
    let messages = prop_oneof![
        8 => n().prop_map(Act::Send),
        3 => (n(), n()).prop_map(|(node, name)| Act::SendName(node, name)),
        2 => n().prop_map(Act::SendAlias),
        8 => (waits(), 0u8..3).prop_map(|(wait, again)| Act::Receive(wait, again)),
    ];
    let processes = prop_oneof![
        3 => (n(), any::<bool>(), any::<bool>()).prop_map(|(node, link, monitor)| Act::Spawn { node, link, monitor }),
        1 => (n(), any::<[bool; 3]>()).prop_map(|(node, [link, monitor, reply])| {
            Act::Request { node, link, monitor, reply }
        }),
        1 => n().prop_map(Act::Abandon),
        1 => n().prop_map(Act::Look),
        1 => (n(), any::<bool>()).prop_map(|(process, once)| Act::Suspend(process, once)),
        1 => n().prop_map(Act::Resume),
        2 => n().prop_map(Act::Link),
        1 => n().prop_map(Act::Unlink),
        3 => (n(), prop::option::of(modes())).prop_map(|(process, mode)| Act::Monitor(process, mode)),
        1 => (n(), n()).prop_map(|(node, name)| Act::MonitorName(node, name)),
        1 => n().prop_map(Act::Demonitor),
        1 => modes().prop_map(Act::Alias),
        1 => n().prop_map(Act::Unalias),
        2 => (n(), classes()).prop_map(|(process, class)| Act::Signal(process, class)),
        1 => classes().prop_map(Act::Exit),
        2 => any::<bool>().prop_map(Act::TrapExit),
        2 => (n(), n()).prop_map(|(name, process)| Act::Register(name, process)),
        1 => n().prop_map(Act::Unregister),
        1 => n().prop_map(Act::Whereis),
    ];
    let others = prop_oneof![
        2 => (0u32..200_000, n()).prop_map(|(after, process)| Act::StartTimer(after, process)),
        1 => (0u32..200_000, n()).prop_map(|(after, name)| Act::StartNameTimer(after, name)),
        1 => n().prop_map(Act::CancelTimer),
        1 => n().prop_map(Act::ReadTimer),
        1 => (n(), any::<bool>()).prop_map(|(object, write)| Act::Access(object, write)),
        1 => Just(Act::Yield),
    ];
    let cluster = prop_oneof![
        3 => (n(), cuts()).prop_map(|(groups, mode)| Act::Partition(groups, mode)),
        3 => Just(Act::Heal),
        1 => (0u32..100_000).prop_map(Act::SetTickTime),
        1 => n().prop_map(Act::StopNode),
        1 => n().prop_map(Act::StartNode),
        1 => (n(), any::<bool>(), any::<bool>()).prop_map(|(node, lost, on)| Act::MonitorNode(node, lost, on)),
    ];
    prop_oneof![6 => messages, 5 => processes, 2 => others, 2 => cluster]
}

/// The interpreter: what is left of each process's script, and the references it has made.
#[derive(Debug)]
struct Interpreter {
    scripts: Vec<Vec<Act>>,
    left: BTreeMap<ProcessId, Vec<Act>>,
    again: BTreeMap<ProcessId, u8>,
    references: BTreeMap<ProcessId, u64>,
    aliases: Vec<RefId>,
    prologue: Vec<Op>,
}

/// No run starts more processes than this.
const MAX_PROCESSES: u32 = 16;

impl Interpreter {
    fn new(scripts: &[Vec<Act>]) -> Self {
        let mut prologue: Vec<_> = NODES
            .into_iter()
            .map(|name| Op::StartNode { name, connect: true })
            .collect();
        prologue.extend([A, B, C, A].map(support::spawn));
        Interpreter {
            scripts: scripts.to_vec(),
            left: BTreeMap::new(),
            again: BTreeMap::new(),
            references: BTreeMap::new(),
            aliases: Vec::new(),
            prologue,
        }
    }

    fn fresh(&mut self, me: ProcessId) -> RefId {
        let made = self.references.entry(me).or_default();
        *made += 1;
        RefId((u64::from(me.0 + 1) << 32) | *made)
    }

    fn old(&self, me: ProcessId, which: u8) -> RefId {
        let made = self.references.get(&me).copied().unwrap_or_default().max(1);
        RefId((u64::from(me.0 + 1) << 32) | (u64::from(which) % made + 1))
    }

    fn op(&mut self, me: ProcessId, act: &Act, simulation: &Simulation) -> Op {
        let count = simulation.process_count();
        let process = |which: u8| ProcessId(u32::from(which) % count);
        let node = |which: u8| NodeId(u16::from(which) % 4);
        let name = |which: u8| NAMES[usize::from(which) % NAMES.len()];
        let home = simulation.node_of(me).unwrap();
        match *act {
            Act::Send(to) => Op::Send(Target::Process(process(to))),
            Act::SendName(to, which) => Op::Send(Target::Name(node(to), name(which))),
            Act::SendAlias(_) if self.aliases.is_empty() => Op::Yield,
            Act::SendAlias(which) => Op::Send(Target::Alias(self.aliases[usize::from(which) % self.aliases.len()])),
            Act::Receive(wait, again) => {
                if matches!(wait, Wait::For(_)) {
                    self.again.insert(me, again);
                }
                Op::Receive(wait)
            }
            Act::Spawn { .. } if count >= MAX_PROCESSES => Op::Yield,
            Act::Spawn {
                node: on,
                link,
                monitor,
            } => Op::Spawn {
                node: node(on),
                link,
                monitor: monitor.then(|| self.fresh(me)),
                alias: None,
                request: None,
            },
            Act::Request { .. } if count >= MAX_PROCESSES => Op::Yield,
            Act::Request {
                node: on,
                link,
                monitor,
                reply,
            } => {
                let reference = self.fresh(me);
                Op::Spawn {
                    node: node(on),
                    link,
                    monitor: monitor.then_some(reference),
                    alias: None,
                    request: Some(Request {
                        reference,
                        success: reply,
                        failure: reply,
                    }),
                }
            }
            Act::Abandon(which) => Op::Abandon(self.old(me, which)),
            Act::Look(other) => Op::Look((other % 5 > 0).then(|| process(other))),
            Act::Suspend(other, once) => Op::Suspend {
                process: process(other),
                once,
            },
            Act::Resume(other) => Op::Resume(process(other)),
            Act::Link(other) => Op::Link(process(other)),
            Act::Unlink(other) => Op::Unlink(process(other)),
            Act::Monitor(other, alias) => {
                let reference = self.fresh(me);
                self.aliases.extend(alias.map(|_| reference));
                Op::Monitor {
                    target: Target::Process(process(other)),
                    reference,
                    alias,
                }
            }
            Act::MonitorName(on, which) => Op::Monitor {
                target: Target::Name(node(on), name(which)),
                reference: self.fresh(me),
                alias: None,
            },
            Act::Demonitor(which) => Op::Demonitor(self.old(me, which)),
            Act::Alias(mode) => {
                let reference = self.fresh(me);
                self.aliases.push(reference);
                Op::Alias(reference, mode)
            }
            Act::Unalias(which) => Op::Unalias(self.old(me, which)),
            Act::Signal(to, class) => Op::Signal(process(to), class),
            Act::Exit(class) => Op::Exit(class),
            Act::TrapExit(on) => Op::TrapExit(on),
            Act::Register(which, other) => Op::Register(name(which), process(other)),
            Act::Unregister(which) => Op::Unregister(name(which)),
            Act::Whereis(which) => Op::Whereis(name(which)),
            Act::StartTimer(after, to) => {
                let target = Target::Process(process(to));
                Op::StartTimer {
                    after: after.into(),
                    target,
                    reference: self.fresh(me),
                }
            }
            Act::StartNameTimer(after, which) => {
                let target = Target::Name(home, name(which));
                Op::StartTimer {
                    after: after.into(),
                    target,
                    reference: self.fresh(me),
                }
            }
            Act::CancelTimer(which) => Op::CancelTimer(self.old(me, which)),
            Act::ReadTimer(which) => Op::ReadTimer(self.old(me, which)),
            Act::Access(object, write) => Op::Access {
                object: Object::Shared(object.into()),
                write,
            },
            Act::Yield => Op::Yield,
            Act::Partition(which, mode) => Op::Partition(groups(which), mode),
            Act::Heal => Op::Heal(Scope::All),
            Act::SetTickTime(time) => Op::SetTickTime(time.into()),
            Act::StopNode(which) => Op::StopNode(node(which)),
            Act::StartNode(which) => Op::StartNode {
                name: NODES[usize::from(which) % NODES.len()],
                connect: true,
            },
            Act::MonitorNode(which, lost, on) => Op::MonitorNode {
                node: node(which),
                lost,
                on,
            },
        }
    }
}

fn groups(which: u8) -> Vec<Vec<NodeId>> {
    match which % 4 {
        0 => vec![vec![A], vec![B, C]],
        1 => vec![vec![A, B], vec![C]],
        2 => vec![vec![A], vec![B]],
        _ => vec![vec![A], vec![B], vec![C]],
    }
}

impl Program for Interpreter {
    fn next(&mut self, me: ProcessId, grant: &Grant, simulation: &Simulation) -> Op {
        if me == support::MAIN_PROCESS && !self.prologue.is_empty() {
            return self.prologue.remove(0);
        }
        // A selective receive that none of these messages matches.
        if let (Grant::Items(_), Some(again)) = (grant, self.again.get_mut(&me)) {
            if *again > 0 {
                *again -= 1;
                return Op::Receive(Wait::Rest);
            }
        }
        self.again.remove(&me);
        let script = self.scripts[me.0 as usize % self.scripts.len()].clone();
        let left = self.left.entry(me).or_insert(script);
        if left.is_empty() {
            return Op::Exit(ExitClass::Normal);
        }
        let act = left.remove(0);
        self.op(me, &act, simulation)
    }
}

fn programs() -> impl Strategy<Value = Vec<Vec<Act>>> {
    prop::collection::vec(prop::collection::vec(acts(), 0..25), 1..6)
}

fn configs() -> impl Strategy<Value = Config> {
    let times = (
        prop::sample::select(vec![0, 1000, 100_000]),
        prop::sample::select(vec![0, 5, 10_000]),
    );
    (any::<u64>(), times, any::<[bool; 5]>()).prop_map(|(seed, (max_stall, max_latency), flags)| Config {
        seed,
        max_steps: 3000,
        max_stall,
        max_latency,
        async_delivery: flags[0],
        quiescence: flags[1],
        fail_on_crash: flags[2],
        fail_on_blocked: flags[3],
        node_order: flags[4],
        ..config()
    })
}

fn run(config: &Config, scripts: &[Vec<Act>]) -> Player {
    play(
        config.clone(),
        Box::new(Random::new(config.seed)),
        &mut Interpreter::new(scripts),
    )
}

fn cut_pairs(groups: &[Vec<NodeId>]) -> Vec<(NodeId, NodeId)> {
    let mut pairs = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        for other in groups[index + 1..].iter().flatten() {
            pairs.extend(group.iter().map(|&node| (node.min(*other), node.max(*other))));
        }
    }
    pairs
}

/// Goes through a recorded run: nothing crosses a cut, and a heal delivers at once, in the order it was sent, all that
/// was deferred. Whether cuts are left at the end.
fn check_network(player: &Player, ordered: bool) -> bool {
    let simulation = &player.simulation;
    let mut announced = player.partitions.clone();
    let mut cuts: BTreeMap<(NodeId, NodeId), PartitionMode> = BTreeMap::new();
    let mut deferred = BTreeSet::new();
    let mut flushed: Option<(u64, BTreeSet<u64>)> = None;
    let mut latest = BTreeMap::new();
    let home = |process: u64| simulation.node_of(ProcessId(process as u32));
    for event in simulation.trace_events() {
        let arrived = matches!(
            event.kind,
            Kind::Deliver
                | Kind::Lost
                | Kind::Down
                | Kind::ExitSignal
                | Kind::Spawned
                | Kind::Linked
                | Kind::Unlinked
                | Kind::Led
                | Kind::Watched
        );
        if arrived {
            deferred.remove(&event.object);
        }
        // Others may go with them, so that nothing overtakes anything.
        if let Some((last, expected)) = &mut flushed {
            assert!(arrived, "heal delivers {expected:?} before anything else happens");
            if expected.remove(&event.object) {
                assert!(event.object > *last, "heal keeps the order of sending");
                *last = event.object;
            }
        }
        flushed = flushed.filter(|(_, expected)| !expected.is_empty());
        match event.kind {
            Kind::Deliver => {
                let (from, to) = (home(event.detail).unwrap(), event.node.unwrap());
                assert!(
                    !cuts.contains_key(&(from.min(to), from.max(to))),
                    "{event:?} crosses a cut"
                );
                if ordered && from != to && from != CONTROL && to != CONTROL {
                    let before = latest.insert((from, to), event.object);
                    assert!(before < Some(event.object), "{event:?} has overtaken another");
                }
            }
            Kind::Send => {
                if let (Some(from), Some(to)) = (event.node, home(event.detail)) {
                    if cuts.get(&(from.min(to), from.max(to))) == Some(&PartitionMode::Defer) {
                        deferred.insert(event.object);
                    }
                }
            }
            Kind::Partition => {
                let (groups, mode) = announced.get_mut(&event.process.unwrap()).unwrap().remove(0);
                cuts.extend(cut_pairs(&groups).into_iter().map(|pair| (pair, mode)));
            }
            Kind::Heal => {
                flushed = Some((0, std::mem::take(&mut deferred))).filter(|(_, expected)| !expected.is_empty());
                cuts.clear();
            }
            _ => {}
        }
    }
    assert!(flushed.is_none(), "heal delivers all");
    !cuts.is_empty()
}

/// When a run has come to rest, whoever waits has been told of all that it watched.
fn check_rest(player: &Player, config: &Config, cuts_left: bool) {
    let simulation = &player.simulation;
    let outcome = player.outcome();
    let at_rest =
        matches!(outcome, Outcome::Done | Outcome::Deadlock | Outcome::Blocked) && simulation.running().is_none();
    if !at_rest || cuts_left {
        return;
    }
    for (reference, (watcher, target)) in &player.monitors {
        if let Target::Process(watched) = target {
            let owed = simulation.alive(*watcher) && !simulation.alive(*watched) && !player.removed.contains(reference);
            if owed && watcher != watched {
                // An alias that takes one reply takes its monitor back with it.
                let fired = player.fired.contains_key(reference);
                assert!(
                    fired || !simulation.watches(*watcher, *reference),
                    "{reference:?} never fired"
                );
            }
        }
    }
    if outcome == Outcome::Done && config.quiescence && simulation.waiting().is_empty() {
        assert_eq!(simulation.load(), Load::default(), "the dead leave nothing behind");
    }
}

fn deeds(player: &Player) -> Vec<Deed> {
    let trail = player.simulation.trail().expect("it is kept");
    trail.blocks().into_iter().map(|done| done.deed).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The checks of the driver itself, and those of the recorded network.
    #[test]
    fn every_run_keeps_the_rules(config in configs(), scripts in programs()) {
        let player = run(&config, &scripts);
        let cuts_left = check_network(&player, config.node_order);
        check_rest(&player, &config, cuts_left);
    }

    #[test]
    fn the_same_seed_gives_the_same_run(config in configs(), scripts in programs()) {
        let (one, two) = (run(&config, &scripts), run(&config, &scripts));
        prop_assert_eq!(one.simulation.hash(), two.simulation.hash());
        prop_assert_eq!(one.simulation.trace_events(), two.simulation.trace_events());
        prop_assert_eq!(one.simulation.choices(), two.simulation.choices());
        prop_assert_eq!(one.grants, two.grants);
    }

    #[test]
    fn recording_changes_nothing(config in configs(), scripts in programs()) {
        let recorded = run(&config, &scripts);
        let silent = run(&Config { record: false, ..config }, &scripts);
        prop_assert_eq!(recorded.simulation.hash(), silent.simulation.hash());
        prop_assert!(silent.simulation.choices().is_empty() && silent.simulation.trace_events().is_empty());
    }

    #[test]
    fn a_replay_is_the_same_run(config in configs(), scripts in programs()) {
        let player = run(&config, &scripts);
        let choices = player.simulation.choices().to_vec();
        let again = play(config, Box::new(Replay::new(choices)), &mut Interpreter::new(&scripts));
        prop_assert_eq!(player.simulation.hash(), again.simulation.hash());
        prop_assert_eq!(player.simulation.trace_events(), again.simulation.trace_events());
        prop_assert_eq!(player.simulation.choices(), again.simulation.choices());
        prop_assert_eq!(player.outcome(), again.outcome());
    }

    /// A log that no run has made is either refused or played; it never panics and always ends.
    #[test]
    fn any_choice_log_can_be_played(config in configs(), scripts in programs(), log in prop::collection::vec(0u64..40, 0..200)) {
        let player = play(config.clone(), Box::new(Replay::new(log)), &mut Interpreter::new(&scripts));
        let cuts_left = check_network(&player, config.node_order);
        check_rest(&player, &config, cuts_left);
    }

    /// What a run has done, as deeds in blocks, leads to the same run again.
    #[test]
    fn a_trail_leads_to_its_run(config in configs(), scripts in programs()) {
        let player = run(&config, &scripts);
        let along = Guided::along(player.simulation.choices().to_vec());
        let first = play(config.clone(), Box::new(along), &mut Interpreter::new(&scripts));
        prop_assert_eq!(player.simulation.hash(), first.simulation.hash());
        let again = play(config, Box::new(Guided::by(deeds(&first))), &mut Interpreter::new(&scripts));
        prop_assert_eq!(player.simulation.choices(), again.simulation.choices());
        prop_assert_eq!(player.simulation.trace_events(), again.simulation.trace_events());
        prop_assert_eq!(deeds(&first), deeds(&again));
    }

    /// Any part of a trail, in any order, is a run, and its choices replay it.
    #[test]
    fn any_part_of_a_trail_can_be_followed(
        config in configs(),
        scripts in programs(),
        keep in prop::collection::vec(any::<bool>(), 60),
        turn in any::<bool>(),
    ) {
        let player = run(&config, &scripts);
        let along = Guided::along(player.simulation.choices().to_vec());
        let all = deeds(&play(config.clone(), Box::new(along), &mut Interpreter::new(&scripts)));
        let mut some: Vec<_> = all.into_iter().zip(keep.into_iter().cycle()).filter_map(|(deed, keep)| keep.then_some(deed)).collect();
        if turn {
            some.reverse();
        }
        let guided = play(config.clone(), Box::new(Guided::by(some)), &mut Interpreter::new(&scripts));
        let cuts_left = check_network(&guided, config.node_order);
        check_rest(&guided, &config, cuts_left);
        let choices = guided.simulation.choices().to_vec();
        let again = play(config, Box::new(Replay::new(choices)), &mut Interpreter::new(&scripts));
        prop_assert_eq!(guided.simulation.trace_events(), again.simulation.trace_events());
    }

    /// With nothing to do, the run is the undisturbed one.
    #[test]
    fn an_empty_trail_leads_to_the_undisturbed_run(config in configs(), scripts in programs()) {
        let calm = play(config.clone(), Box::new(Fifo), &mut Interpreter::new(&scripts));
        let guided = play(config, Box::new(Guided::by(Vec::new())), &mut Interpreter::new(&scripts));
        prop_assert_eq!(calm.simulation.trace_events(), guided.simulation.trace_events());
        let trail = guided.simulation.trail().expect("it is kept");
        prop_assert_eq!((trail.switches(), trail.deviations()), (0, 0));
    }

    #[test]
    fn the_undisturbed_run_keeps_the_rules(config in configs(), scripts in programs()) {
        let player = play(config.clone(), Box::new(Fifo), &mut Interpreter::new(&scripts));
        let cuts_left = check_network(&player, config.node_order);
        check_rest(&player, &config, cuts_left);
        prop_assert!(player.simulation.choices().iter().all(|&choice| choice == 0));
    }

    /// What a caller may not do is an error, and the run goes on as if it had not been tried.
    #[test]
    fn misuse_is_refused(config in configs(), scripts in programs(), number in any::<u32>()) {
        let expected = run(&config, &scripts).simulation.hash();
        let mut program = Meddler { program: Interpreter::new(&scripts), number };
        let player = play(config.clone(), Box::new(Random::new(config.seed)), &mut program);
        prop_assert_eq!(player.simulation.hash(), expected);
    }
}

/// Checks before each step that nobody else could take it; works on a shared reference, so it cannot take one itself.
struct Meddler {
    program: Interpreter,
    number: u32,
}

impl Program for Meddler {
    fn next(&mut self, me: ProcessId, grant: &Grant, simulation: &Simulation) -> Op {
        let other = ProcessId(self.number % (simulation.process_count() + 2));
        assert_eq!(simulation.check_turn(other).is_ok(), other == me);
        assert!(simulation.check_process(ProcessId(simulation.process_count())).is_err());
        self.program.next(me, grant, simulation)
    }
}
