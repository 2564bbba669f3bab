//! The hash of interleavings and the explorer, against the enumeration of all schedules of small random programs.

mod support;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use lockstep_core::strategy::{Actor, Candidates, Object, Strategy as Scheduler};
use lockstep_core::{
    Bound, Config, Death, ExitClass, Explored, Explorer, Grant, Item, MAIN, MessageId, Next, NodeId, Op, Outcome,
    ProcessId, RefId, Simulation, Target, Wait,
};
use proptest::prelude::*;
use support::NAMES;

/// What a process does next.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Act {
    Read(u8),
    Write(u8),
    /// The whole table that the objects are entries of.
    ReadAll,
    WriteAll,
    /// To a process, with a tag.
    Send(u8, u8),
    /// The first message, or the first with this tag.
    Receive(Option<u8>, Wait),
    Kill(u8),
    Signal(u8),
    Trap(bool),
    Link(u8),
    Unlink(u8),
    Monitor(u8),
    Demonitor,
    Register(u8),
    Whereis,
    SendName(u8),
    Look(u8),
    Timer(u8, u8),
    Cancel,
    Suspend(u8),
    Resume(u8),
    Spawn,
    Yield,
    Crash,
}

type Script = Vec<Act>;

/// One run of a program: the first script is that of the main process, which starts the others first.
struct Run<'a> {
    simulation: Simulation,
    scripts: &'a [Script],
    processes: BTreeMap<ProcessId, State>,
    tags: BTreeMap<MessageId, u8>,
    /// The main process and those that it starts, in their order: numbers depend on who else is started meanwhile.
    known: Vec<ProcessId>,
}

#[derive(Default)]
struct State {
    script: VecDeque<Act>,
    references: u64,
    mailbox: Vec<Item>,
    looked_at: usize,
    begun: bool,
    spawns: usize,
}

const SYSTEM: u8 = 255;

fn config(delivery: bool) -> Config {
    Config {
        max_stall: 0,
        max_latency: 0,
        async_delivery: delivery,
        max_steps: 500,
        record: false,
        ..support::config()
    }
}

struct Fixed;

impl Scheduler for Fixed {
    fn schedule(&mut self, _candidates: &Candidates<'_>, _choices: usize) -> usize {
        0
    }
    fn stall(&mut self, _max: u64, _upcoming: &[u64]) -> u64 {
        1
    }
    fn latency(&mut self, _max: u64) -> u64 {
        0
    }
    fn fault(&mut self, _count: u64) -> u64 {
        0
    }
}

impl std::fmt::Debug for Fixed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fixed")
    }
}

/// Makes given choices, then the first each time, and keeps how many there were to choose from.
#[derive(Debug)]
struct Path {
    chosen: Vec<usize>,
    place: usize,
    counts: Arc<Mutex<Vec<(usize, usize)>>>,
}

impl Scheduler for Path {
    fn schedule(&mut self, _candidates: &Candidates<'_>, choices: usize) -> usize {
        let choice = self.chosen.get(self.place).copied().unwrap_or(0);
        self.place += 1;
        self.counts.lock().unwrap().push((choice, choices));
        choice
    }
    fn stall(&mut self, _max: u64, _upcoming: &[u64]) -> u64 {
        1
    }
    fn latency(&mut self, _max: u64) -> u64 {
        0
    }
    fn fault(&mut self, _count: u64) -> u64 {
        0
    }
}

impl<'a> Run<'a> {
    fn new(scripts: &'a [Script], config: Config, strategy: Box<dyn Scheduler>) -> Self {
        let mut processes = BTreeMap::new();
        processes.insert(
            MAIN,
            State {
                script: scripts[0].iter().copied().collect(),
                spawns: scripts.len() - 1,
                ..State::default()
            },
        );
        Run {
            simulation: support::simulation(config, strategy),
            scripts,
            processes,
            tags: BTreeMap::new(),
            known: vec![MAIN],
        }
    }

    fn run(&mut self) -> Outcome {
        let mut next = self.simulation.begin().unwrap();
        while let Next::Go(me, grant) = next {
            next = self.step(me, grant);
        }
        self.simulation.outcome().unwrap()
    }

    fn step(&mut self, me: ProcessId, grant: Grant) -> Next {
        match grant {
            Grant::Ended => return self.end(me),
            Grant::Die(Death::Signal(_) | Death::System(_)) => return self.end(me),
            Grant::Items(items) => {
                self.processes.get_mut(&me).unwrap().mailbox.extend(items);
                return self.look_through(me);
            }
            Grant::TimedOut => {
                let state = self.processes.get_mut(&me).unwrap();
                state.script.pop_front();
                state.looked_at = 0;
                state.begun = false;
            }
            Grant::Sent(_, id) | Grant::Parked(id) => {
                let tag = self
                    .processes
                    .get(&me)
                    .and_then(|state| tag_of(state.script.front().copied()));
                self.tags.insert(id, tag.unwrap_or(SYSTEM));
                self.done(me);
            }
            Grant::Spawned(Some(child)) => {
                let state = self.processes.get_mut(&me).unwrap();
                let script = if me == MAIN && state.spawns > 0 {
                    state.spawns -= 1;
                    self.known.push(child);
                    self.scripts[self.scripts.len() - 1 - state.spawns]
                        .iter()
                        .copied()
                        .collect()
                } else {
                    state.script.pop_front();
                    VecDeque::from([Act::Write(0)])
                };
                self.processes.insert(
                    child,
                    State {
                        script,
                        ..State::default()
                    },
                );
            }
            Grant::Done
                if self
                    .processes
                    .get(&me)
                    .is_some_and(|state| !state.begun && state.references == 0) =>
            {
                self.processes.get_mut(&me).unwrap().references = 1;
            }
            _ => self.done(me),
        }
        self.announce(me)
    }

    fn done(&mut self, me: ProcessId) {
        self.processes.get_mut(&me).unwrap().script.pop_front();
    }

    fn end(&mut self, me: ProcessId) -> Next {
        let farewell = self.simulation.finish(me, &[]).unwrap();
        for notice in farewell.ties {
            self.tags.insert(notice.id, SYSTEM);
        }
        self.simulation.reaped(me).unwrap()
    }

    fn announce(&mut self, me: ProcessId) -> Next {
        let state = self.processes.get_mut(&me).unwrap();
        if me == MAIN && state.spawns > 0 {
            let op = Op::Spawn {
                node: NodeId(0),
                link: false,
                monitor: None,
                alias: None,
                request: None,
            };
            return self.simulation.announce(me, op).unwrap();
        }
        match state.script.front() {
            Some(Act::Receive(_, wait)) if *wait != Wait::Poll => self.look_through(me),
            _ => {
                let op = self.op(me);
                self.simulation.announce(me, op).unwrap()
            }
        }
    }

    /// Looks for the first message that fits. A poll comes here only after its step.
    fn look_through(&mut self, me: ProcessId) -> Next {
        let state = self.processes.get_mut(&me).unwrap();
        let Some(&Act::Receive(pattern, wait)) = state.script.front() else {
            panic!("{me:?} does not receive");
        };
        let tags = &self.tags;
        let fits = |item: &Item| pattern.is_none_or(|tag| tag_in(tags, *item) == tag);
        let place = state.mailbox.iter().position(fits);
        match place {
            Some(place) => {
                state.mailbox.remove(place);
                state.script.pop_front();
                state.begun = false;
                self.simulation.took(me, place, true);
                self.announce(me)
            }
            None => {
                let wait = if std::mem::replace(&mut state.begun, true) && wait != Wait::Forever {
                    Wait::Rest
                } else {
                    wait
                };
                self.simulation.announce(me, Op::Receive(wait)).unwrap()
            }
        }
    }

    fn op(&mut self, me: ProcessId) -> Op {
        // Who is started before somebody is who that can know of.
        let place = self.known.iter().position(|&process| process == me);
        let count = if me == MAIN {
            self.known.len()
        } else {
            place.map_or(1, |place| place + 1)
        };
        let known = self.known[..count].to_vec();
        let process = |which: u8| known[usize::from(which) % count];
        let state = self.processes.get_mut(&me).unwrap();
        let reference = |number: u64| RefId((u64::from(me.0 + 1) << 32) | number);
        let object = |entry| Object::Table { table: 1, entry };
        match state.script.front().copied() {
            None => Op::Exit(ExitClass::Normal),
            Some(Act::Read(entry)) => Op::Access {
                object: object(Some(entry.into())),
                write: false,
            },
            Some(Act::Write(entry)) => Op::Access {
                object: object(Some(entry.into())),
                write: true,
            },
            Some(Act::ReadAll) => Op::Access {
                object: object(None),
                write: false,
            },
            Some(Act::WriteAll) => Op::Access {
                object: object(None),
                write: true,
            },
            Some(Act::Send(to, _)) => Op::Send(Target::Process(process(to))),
            Some(Act::Receive(_, wait)) => {
                state.begun = true;
                Op::Receive(wait)
            }
            Some(Act::Kill(to)) => Op::Signal(process(to), ExitClass::Kill),
            Some(Act::Signal(to)) => Op::Signal(process(to), ExitClass::Crash),
            Some(Act::Trap(on)) => Op::TrapExit(on),
            Some(Act::Link(to)) => Op::Link(process(to)),
            Some(Act::Unlink(to)) => Op::Unlink(process(to)),
            Some(Act::Monitor(to)) => {
                state.references += 1;
                Op::Monitor {
                    target: Target::Process(process(to)),
                    reference: reference(state.references),
                    alias: None,
                }
            }
            Some(Act::Demonitor) => Op::Demonitor(reference(state.references)),
            Some(Act::Register(which)) => Op::Register(NAMES[0], process(which)),
            Some(Act::Whereis) => Op::Whereis(NAMES[0]),
            Some(Act::SendName(_)) => Op::Send(Target::Name(NodeId(0), NAMES[0])),
            Some(Act::Look(at)) => Op::Look(Some(process(at))),
            Some(Act::Timer(to, after)) => {
                state.references += 1;
                Op::StartTimer {
                    after: u64::from(after % 3) * 10,
                    target: Target::Process(process(to)),
                    reference: reference(state.references),
                }
            }
            Some(Act::Cancel) => Op::CancelTimer(reference(state.references)),
            Some(Act::Suspend(other)) => Op::Suspend {
                process: process(other),
                once: false,
            },
            Some(Act::Resume(other)) => Op::Resume(process(other)),
            Some(Act::Spawn) => Op::Spawn {
                node: NodeId(0),
                link: true,
                monitor: None,
                alias: None,
                request: None,
            },
            Some(Act::Yield) => Op::Yield,
            Some(Act::Crash) => Op::Exit(ExitClass::Crash),
        }
    }
}

fn tag_of(act: Option<Act>) -> Option<u8> {
    match act {
        Some(Act::Send(_, tag) | Act::SendName(tag)) => Some(tag),
        Some(Act::Timer(_, after)) => Some(after % 2),
        _ => None,
    }
}

fn tag_in(tags: &BTreeMap<MessageId, u8>, item: Item) -> u8 {
    match item {
        Item::Term(id) | Item::Parked(id) => tags.get(&id).copied().unwrap_or(SYSTEM),
        _ => SYSTEM,
    }
}

/// The hashes of all schedules, each made once; none if there are too many.
fn all_schedules(scripts: &[Script], config: &Config, most: usize) -> Option<BTreeMap<u64, Vec<usize>>> {
    let mut hashes: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    let mut chosen = Vec::new();
    for _ in 0..most {
        let counts = Arc::new(Mutex::new(Vec::new()));
        let path = Path {
            chosen: chosen.clone(),
            place: 0,
            counts: Arc::clone(&counts),
        };
        let mut run = Run::new(scripts, config.clone(), Box::new(path));
        run.run();
        let mut taken = counts.lock().unwrap().clone();
        let made = taken.iter().map(|&(choice, _)| choice);
        hashes
            .entry(run.simulation.interleaving())
            .or_insert_with(|| made.collect());
        while taken.last().is_some_and(|&(choice, count)| choice + 1 == count) {
            taken.pop();
        }
        match taken.pop() {
            None => return Some(hashes),
            Some((choice, _)) => {
                chosen = taken.iter().map(|&(choice, _)| choice).collect();
                chosen.push(choice + 1);
            }
        }
    }
    None
}

/// The hashes of all interleavings, in the order in which they are run.
fn explore(scripts: &[Script], config: &Config, bound: Bound) -> (Vec<u64>, Explored) {
    let mut explorer = Explorer::new(bound);
    let mut hashes = Vec::new();
    loop {
        let mut run = Run::new(scripts, config.clone(), Box::new(Fixed));
        run.simulation.explore(explorer);
        let outcome = run.run();
        explorer = run.simulation.explored().unwrap();
        assert!(outcome != Outcome::Strange, "{scripts:?}");
        if outcome != Outcome::Abandoned {
            hashes.push(run.simulation.interleaving());
        }
        if !explorer.advance() {
            return (hashes, explorer.explored());
        }
    }
}

/// A schedule in words.
fn story(scripts: &[Script], config: &Config, chosen: &[usize]) -> String {
    let path = Path {
        chosen: chosen.to_vec(),
        place: 0,
        counts: Arc::default(),
    };
    let config = Config {
        record: true,
        ..config.clone()
    };
    let mut run = Run::new(scripts, config, Box::new(path));
    run.run();
    let events = run.simulation.trace_events().iter();
    let words = events.map(|event| match event.process {
        Some(ProcessId(process)) => format!("{process}:{}", event.kind.name()),
        None => event.kind.name().to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Each interleaving is run once, and none is left out.
fn check(scripts: &[Script], delivery: bool, most: usize) -> Option<usize> {
    let config = config(delivery);
    let all = all_schedules(scripts, &config, most)?;
    let (explored, _) = explore(scripts, &config, Bound::Interleavings);
    let distinct: BTreeSet<u64> = explored.iter().copied().collect();
    for (hash, chosen) in &all {
        assert!(
            distinct.contains(hash),
            "left out of {scripts:?}: {}",
            story(scripts, &config, chosen)
        );
    }
    assert_eq!(distinct.len(), all.len(), "of {scripts:?}, delivery {delivery}");
    assert_eq!(explored.len(), distinct.len(), "twice the same: {scripts:?}");
    Some(explored.len())
}

fn count(scripts: &[Script]) -> usize {
    check(scripts, false, 300_000).expect("few schedules")
}

#[test]
fn three_writers_have_six_orders() {
    let write = vec![Act::Write(1)];
    assert_eq!(count(&[vec![], write.clone(), write.clone(), write]), 6);
}

#[test]
fn no_run_is_given_up_where_nobody_stops_anybody() {
    let script = vec![Act::Write(1), Act::Write(1), Act::Send(0, 1)];
    let scripts = [
        vec![Act::Receive(None, Wait::Forever); 3],
        script.clone(),
        script.clone(),
        script,
    ];
    let explored = explore(&scripts, &config(false), Bound::Interleavings).1;
    // 6! / 2!^3 orders of the writes, 3! of the messages.
    assert_eq!(
        explored,
        Explored {
            complete: 90 * 6,
            abandoned: 0
        }
    );
}

#[test]
fn bounded_searches_run_all_schedules_within_the_bound() {
    let scripts = [
        vec![],
        vec![Act::Write(1), Act::Write(1)],
        vec![Act::Write(1), Act::Write(1)],
    ];
    let distinct = |bound| {
        let hashes = explore(&scripts, &config(false), bound).0;
        hashes.into_iter().collect::<BTreeSet<u64>>().len()
    };
    // 4! / 2!^2 orders in all. Without a preemption one writer comes before the other; each preemption ends a row of writes
    // before the writer is done: 1122 and 2211, 1221 and 2112, then 1212 and 2121.
    let found = [0, 1, 2, 3].map(|most| distinct(Bound::Preemptions(most)));
    assert_eq!(found, [2, 4, 6, 6]);
    assert_eq!(distinct(Bound::Delays(0)), 1);
    assert_eq!(distinct(Bound::Delays(8)), 6);
}

#[test]
fn readers_do_not_count() {
    let read = vec![Act::Read(1)];
    // The writer comes before or after each of the two.
    assert_eq!(count(&[vec![], read.clone(), read, vec![Act::Write(1)]]), 4);
}

#[test]
fn what_concerns_different_entries_has_one_order() {
    assert_eq!(count(&[vec![], vec![Act::Write(1)], vec![Act::Write(2)]]), 1);
    assert_eq!(
        count(&[vec![], vec![Act::Write(1)], vec![Act::Write(2)], vec![Act::ReadAll]]),
        4
    );
}

#[test]
fn an_unread_message_hides_no_race() {
    let forever = |tag| Act::Receive(Some(tag), Wait::Forever);
    // The second reads, and sends the first what that does not look at; the first writes when it has heard of the third.
    let scripts = [
        vec![],
        vec![forever(3), Act::Write(1)],
        vec![Act::Read(1), Act::Send(1, 7)],
        vec![Act::Send(1, 3)],
    ];
    // With its own message first the read is before the write in any case; with the other first it can be either.
    assert_eq!(count(&scripts), 3);
}

#[test]
fn a_poll_races_with_the_message() {
    let poll = vec![Act::Receive(Some(1), Wait::Poll), Act::Write(1)];
    assert_eq!(count(&[vec![], poll, vec![Act::Send(1, 1)]]), 2);
}

#[test]
fn a_kill_comes_before_between_or_after() {
    // Before its start, its two steps, and its end, or after all.
    assert_eq!(count(&[vec![], vec![Act::Yield, Act::Yield], vec![Act::Kill(1)]]), 5);
}

#[test]
fn a_timeout_comes_when_nothing_else_can_happen() {
    let scripts = [
        vec![],
        vec![Act::Receive(None, Wait::For(10)), Act::Write(1)],
        vec![Act::Write(1)],
    ];
    assert_eq!(count(&scripts), 1);
}

fn waits() -> impl Strategy<Value = Wait> {
    prop_oneof![
        Just(Wait::Poll),
        Just(Wait::Forever),
        Just(Wait::Forever),
        Just(Wait::For(10))
    ]
}

fn acts() -> impl Strategy<Value = Act> {
    let n = 0u8..4;
    prop_oneof![
        6 => (0u8..2).prop_map(Act::Write),
        3 => (0u8..2).prop_map(Act::Read),
        1 => Just(Act::ReadAll),
        1 => Just(Act::WriteAll),
        6 => (n.clone(), 0u8..2).prop_map(|(to, tag)| Act::Send(to, tag)),
        5 => (prop::option::of(0u8..2), waits()).prop_map(|(tag, wait)| Act::Receive(tag, wait)),
        1 => n.clone().prop_map(Act::Kill),
        1 => n.clone().prop_map(Act::Signal),
        1 => any::<bool>().prop_map(Act::Trap),
        1 => n.clone().prop_map(Act::Link),
        1 => n.clone().prop_map(Act::Unlink),
        2 => n.clone().prop_map(Act::Monitor),
        1 => Just(Act::Demonitor),
        1 => n.clone().prop_map(Act::Register),
        1 => Just(Act::Whereis),
        1 => (0u8..2).prop_map(Act::SendName),
        1 => n.clone().prop_map(Act::Look),
        1 => (n.clone(), 0u8..3).prop_map(|(to, after)| Act::Timer(to, after)),
        1 => Just(Act::Cancel),
        1 => n.clone().prop_map(Act::Suspend),
        1 => n.prop_map(Act::Resume),
        1 => Just(Act::Spawn),
        1 => Just(Act::Crash),
    ]
}

fn programs() -> impl Strategy<Value = Vec<Script>> {
    prop::collection::vec(prop::collection::vec(acts(), 0..4), 2..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_interleaving_of_a_random_program_is_run_once(scripts in programs(), delivery in any::<bool>()) {
        check(&scripts, delivery, 4000);
    }
}

fn cases() -> u32 {
    std::env::var("INTERLEAVINGS")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(300)
}

/// Lets processes act in this order; before that the main process does all that it has to.
#[derive(Debug)]
struct Order {
    processes: Vec<ProcessId>,
    place: usize,
}

impl Order {
    fn choose(&mut self, candidates: &Candidates<'_>) -> usize {
        let of = |process| (0..candidates.len()).find(|&index| candidates.actor(index) == Actor::Process(process));
        of(MAIN).unwrap_or_else(|| {
            self.place += 1;
            of(self.processes[self.place - 1]).expect("everybody can always act")
        })
    }
}

impl Scheduler for Order {
    fn schedule(&mut self, candidates: &Candidates<'_>, _choices: usize) -> usize {
        self.choose(candidates)
    }
    fn forced(&mut self, candidates: &Candidates<'_>) {
        self.choose(candidates);
    }
    fn stall(&mut self, _max: u64, _upcoming: &[u64]) -> u64 {
        1
    }
    fn latency(&mut self, _max: u64) -> u64 {
        0
    }
    fn fault(&mut self, _count: u64) -> u64 {
        0
    }
}

fn hash_of(scripts: &[Script], processes: &[ProcessId]) -> u64 {
    let order = Order {
        processes: processes.to_vec(),
        place: 0,
    };
    let mut run = Run::new(scripts, config(false), Box::new(order));
    assert_eq!(run.run(), Outcome::Done);
    run.simulation.interleaving()
}

/// Which entry an act touches, all of them being one entry more, and whether it changes it.
fn touched(act: Act) -> (Option<u8>, bool) {
    match act {
        Act::Read(entry) => (Some(entry), false),
        Act::Write(entry) => (Some(entry), true),
        Act::ReadAll => (None, false),
        _ => (None, true),
    }
}

fn acts_conflict(one: Act, other: Act) -> bool {
    let ((a, first), (b, second)) = (touched(one), touched(other));
    (first || second) && (a.is_none() || b.is_none() || a == b)
}

fn accesses() -> impl Strategy<Value = Vec<Script>> {
    let access = prop_oneof![
        3 => (0u8..3).prop_map(Act::Read),
        3 => (0u8..3).prop_map(Act::Write),
        1 => Just(Act::ReadAll),
        1 => Just(Act::WriteAll),
    ];
    prop::collection::vec(prop::collection::vec(access, 1..5), 2..5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn neighbours_can_be_swapped_if_they_do_not_conflict(
        scripts in accesses(), picks in prop::collection::vec(any::<prop::sample::Index>(), 32), at in any::<prop::sample::Index>()
    ) {
        // Each process starts, does what it has to, and ends; in a random order.
        let mut left: Vec<(ProcessId, VecDeque<Option<Act>>)> = Vec::new();
        for (script, number) in scripts.iter().zip(1..) {
            let acts = std::iter::once(None).chain(script.iter().copied().map(Some)).chain([None]);
            left.push((ProcessId(number), acts.collect()));
        }
        let mut events = Vec::new();
        let mut picks = picks.into_iter().cycle();
        while !left.is_empty() {
            let pick = picks.next().unwrap().index(left.len());
            let (process, acts) = &mut left[pick];
            events.push((*process, acts.pop_front().unwrap()));
            if acts.is_empty() {
                left.remove(pick);
            }
        }
        let scripts: Vec<Script> = std::iter::once(Vec::new()).chain(scripts).collect();
        let order = |events: &[(ProcessId, Option<Act>)]| events.iter().map(|event| event.0).collect::<Vec<_>>();
        let before = hash_of(&scripts, &order(&events));
        let neighbours: Vec<usize> = (1..events.len()).filter(|&at| events[at - 1].0 != events[at].0).collect();
        let at = neighbours[at.index(neighbours.len())] - 1;
        let (one, other) = (events[at], events[at + 1]);
        events.swap(at, at + 1);
        let after = hash_of(&scripts, &order(&events));
        let conflict = one.1.zip(other.1).is_some_and(|(one, other)| acts_conflict(one, other));
        prop_assert_eq!(before != after, conflict, "{:?} and {:?} of {:?}", one, other, scripts);
    }
}
