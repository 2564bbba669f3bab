//! Plays programs against a [`Simulation`] the way the BEAM side does, and checks after every step what must always
//! hold.
// Each test uses a part of this.
#![allow(dead_code, unreachable_pub)]

use std::collections::{BTreeMap, BTreeSet};

use lockstep_core::strategy::{Fifo, Random, Replay, Strategy};
use lockstep_core::{
    Activity, Config, Death, ExitClass, Farewell, Grant, Item, MAIN, MessageId, Next, Op, Outcome, PartitionMode,
    ProcessId, RefId, Request, Simulation, Symbol, Target, Wait,
};

pub const A: lockstep_core::NodeId = lockstep_core::NodeId(1);
pub const B: lockstep_core::NodeId = lockstep_core::NodeId(2);
pub const C: lockstep_core::NodeId = lockstep_core::NodeId(3);
pub const CONTROL: lockstep_core::NodeId = lockstep_core::CONTROL;

/// The names of nodes A, B and C, and two to register; interned by [`simulation`] in this order.
pub const NODES: [Symbol; 3] = [Symbol(1), Symbol(2), Symbol(3)];
pub const NAMES: [Symbol; 2] = [Symbol(4), Symbol(5)];

pub fn config() -> Config {
    Config {
        seed: 1,
        max_steps: 100_000,
        max_virtual_time: 3_600_000_000,
        max_stall: 100_000,
        max_latency: 10_000,
        async_delivery: false,
        node_order: false,
        quiescence: true,
        fail_on_crash: false,
        fail_on_blocked: false,
        record: true,
        control: "control".to_owned(),
    }
}

pub fn simulation(config: Config, strategy: Box<dyn Strategy>) -> Simulation {
    let mut simulation = Simulation::new(config, strategy);
    for name in ["a", "b", "c", "first", "second"] {
        simulation.intern(name);
    }
    simulation
}

/// What the processes of a run do.
pub trait Program {
    /// The next operation of `me`, which has just been told `grant`.
    fn next(&mut self, me: ProcessId, grant: &Grant, simulation: &Simulation) -> Op;
}

/// One list of operations a process, by number; a process with none left ends.
impl Program for Vec<Vec<Op>> {
    fn next(&mut self, me: ProcessId, _grant: &Grant, _simulation: &Simulation) -> Op {
        match self.get_mut(me.0 as usize) {
            Some(script) if !script.is_empty() => script.remove(0),
            _ => Op::Exit(ExitClass::Normal),
        }
    }
}

/// A term on its way to a real process, or parked.
#[derive(Debug, Clone, Copy)]
struct Term {
    from: ProcessId,
    /// None for one that is parked for a name or by a timer.
    to: Option<ProcessId>,
    monitor: Option<RefId>,
    timer: bool,
}

/// The sides of a partition.
pub type Groups = Vec<Vec<lockstep_core::NodeId>>;

/// A run and what its processes saw.
pub struct Player {
    pub simulation: Simulation,
    /// All answers, in order.
    pub grants: Vec<(ProcessId, Grant)>,
    /// What each process has taken from its mailbox.
    pub received: BTreeMap<ProcessId, Vec<Item>>,
    /// The partitions that each process has announced.
    pub partitions: BTreeMap<ProcessId, Vec<(Groups, PartitionMode)>>,
    /// How often each monitor has fired.
    pub fired: BTreeMap<RefId, u32>,
    /// The monitors whose removal was answered with true.
    pub removed: BTreeSet<RefId>,
    /// The monitors that were set: by whom, on whom.
    pub monitors: BTreeMap<RefId, (ProcessId, Target)>,
    pub deaths: BTreeMap<ProcessId, Option<Death>>,
    terms: BTreeMap<MessageId, Term>,
    taken: BTreeSet<MessageId>,
    announced: BTreeMap<ProcessId, Op>,
    /// Who owns something shared.
    pub owners: BTreeSet<ProcessId>,
    /// Who is to inherit from whom.
    pub heirs: BTreeMap<ProcessId, Vec<ProcessId>>,
    /// Somebody looks on as soon as there are so many processes.
    pub onlooker_after: Option<u32>,
    /// Who was told of each end.
    pub farewells: BTreeMap<ProcessId, Farewell>,
}

pub fn play(config: Config, strategy: Box<dyn Strategy>, program: &mut dyn Program) -> Player {
    let mut player = Player::new(simulation(config, strategy));
    player.run(program);
    player
}

/// Undisturbed.
pub fn fifo(config: Config, scripts: Vec<Vec<Op>>) -> Player {
    play(config, Box::new(Fifo), &mut { scripts })
}

/// As the random walk of one seed has it.
pub fn random(config: Config, seed: u64, scripts: Vec<Vec<Op>>) -> Player {
    play(Config { seed, ..config }, Box::new(Random::new(seed)), &mut { scripts })
}

/// With these choices.
pub fn replay(config: Config, choices: &[u64], scripts: Vec<Vec<Op>>) -> Player {
    play(config, Box::new(Replay::new(choices.to_vec())), &mut { scripts })
}

impl Player {
    pub fn new(simulation: Simulation) -> Self {
        Player {
            simulation,
            grants: Vec::new(),
            received: BTreeMap::new(),
            partitions: BTreeMap::new(),
            fired: BTreeMap::new(),
            removed: BTreeSet::new(),
            monitors: BTreeMap::new(),
            deaths: BTreeMap::new(),
            terms: BTreeMap::new(),
            taken: BTreeSet::new(),
            announced: BTreeMap::new(),
            owners: BTreeSet::new(),
            heirs: BTreeMap::new(),
            onlooker_after: None,
            farewells: BTreeMap::new(),
        }
    }

    pub fn run(&mut self, program: &mut dyn Program) {
        let mut next = self.simulation.begin().expect("the run begins");
        while let Next::Go(me, grant) = next {
            if self.owners.contains(&me) {
                self.simulation.set_owner(me);
            }
            if self.onlooker_after == Some(self.simulation.process_count()) {
                self.simulation.onlooker();
            }
            self.check(me, &grant);
            self.grants.push((me, grant.clone()));
            next = match grant {
                Grant::Ended => self.finish(me, None),
                Grant::Die(death) => {
                    if let Death::Signal(id) = death {
                        self.take(me, id);
                    }
                    self.finish(me, Some(death))
                }
                grant => {
                    self.told(me, &grant);
                    let op = program.next(me, &grant, &self.simulation);
                    self.announce(me, op)
                }
            };
        }
        assert!(self.simulation.outcome().is_some(), "every run ends with an outcome");
    }

    fn announce(&mut self, me: ProcessId, op: Op) -> Next {
        if let Op::Partition(groups, mode) = &op {
            self.partitions.entry(me).or_default().push((groups.clone(), *mode));
        }
        self.announced.insert(me, op.clone());
        self.simulation.announce(me, op).expect("it is its turn")
    }

    fn finish(&mut self, me: ProcessId, death: Option<Death>) -> Next {
        let heirs: Vec<_> = self.heirs.get(&me).into_iter().flatten().copied().collect();
        let heirs: Vec<_> = heirs.into_iter().filter(|&heir| self.simulation.alive(heir)).collect();
        let farewell = self.simulation.finish(me, &heirs).expect("it ends");
        assert!(
            farewell.heirs.iter().map(|notice| notice.to).eq(heirs),
            "every heir is told, in order"
        );
        let next = self.ended(me, death, &farewell);
        self.farewells.insert(me, farewell);
        next
    }

    fn ended(&mut self, me: ProcessId, death: Option<Death>, farewell: &Farewell) -> Next {
        for notice in farewell.heirs.iter().chain(&farewell.ties) {
            assert!(
                !self.deaths.contains_key(&notice.to),
                "{:?} is gone and cannot be told",
                notice.to
            );
            let term = Term {
                from: me,
                to: Some(notice.to),
                monitor: notice.monitor,
                timer: false,
            };
            self.terms.insert(notice.id, term);
        }
        assert!(self.deaths.insert(me, death).is_none(), "nobody dies twice");
        self.simulation.reaped(me).expect("it is gone")
    }

    fn told(&mut self, me: ProcessId, grant: &Grant) {
        let op = self.announced.remove(&me).unwrap_or(Op::Start);
        match grant {
            Grant::Sent(to, id) => {
                assert!(!self.deaths.contains_key(to), "nothing is sent to the dead");
                self.terms.insert(
                    *id,
                    Term {
                        from: me,
                        to: Some(*to),
                        monitor: None,
                        timer: false,
                    },
                );
            }
            Grant::Parked(id) => {
                let timer = matches!(op, Op::StartTimer { .. });
                self.terms.insert(
                    *id,
                    Term {
                        from: me,
                        to: None,
                        monitor: None,
                        timer,
                    },
                );
            }
            Grant::Requested(child, id) => {
                self.terms.insert(
                    *id,
                    Term {
                        from: *child,
                        to: Some(me),
                        monitor: None,
                        timer: false,
                    },
                );
            }
            Grant::Items(items) => self.receive(me, items),
            Grant::Spawned(Some(child)) => {
                if let Op::Spawn {
                    monitor: Some(reference),
                    ..
                } = op
                {
                    self.monitors.insert(reference, (me, Target::Process(*child)));
                }
            }
            Grant::Bool(true) => {
                if let Op::Demonitor(reference) = op {
                    self.removed.insert(reference);
                }
            }
            Grant::Done => {
                if let Op::Monitor { target, reference, .. } = op {
                    self.monitors.insert(reference, (me, target));
                }
            }
            _ => {}
        }
    }

    fn receive(&mut self, me: ProcessId, items: &[Item]) {
        assert!(!items.is_empty());
        for item in items {
            match *item {
                Item::Term(id) => {
                    let term = self.take(me, id);
                    if let Some(reference) = term.monitor {
                        self.fire(reference);
                    }
                }
                Item::Parked(id) => {
                    assert!(self.terms[&id].to.is_none());
                    assert!(self.taken.insert(id), "a parked term is taken once");
                }
                Item::Down(reference, _) => self.fire(reference),
                Item::Exit(..) | Item::NodeDown(_) | Item::NotSpawned(_) | Item::Node(_) | Item::Connected(..) => {}
            }
        }
        self.received.entry(me).or_default().extend(items);
        self.check_order(me);
    }

    fn take(&mut self, me: ProcessId, id: MessageId) -> Term {
        let term = *self.terms.get(&id).expect("what is delivered has been sent");
        assert_eq!(term.to, Some(me), "it was sent to this process");
        assert!(self.taken.insert(id), "nothing arrives twice");
        term
    }

    fn fire(&mut self, reference: RefId) {
        *self.fired.entry(reference).or_default() += 1;
        assert_eq!(self.fired[&reference], 1, "a monitor fires once");
        assert!(
            !self.removed.contains(&reference),
            "one that was taken back does not fire"
        );
    }

    /// Numbers grow as things are sent, so those from one sender must arrive in growing order.
    fn check_order(&self, me: ProcessId) {
        let sent: Vec<_> = self.received[&me]
            .iter()
            .filter_map(|item| self.sender(*item))
            .collect();
        assert_eq!(out_of_order(&sent), None, "the order between two processes is kept");
    }

    fn sender(&self, item: Item) -> Option<(ProcessId, MessageId)> {
        let (Item::Term(id) | Item::Parked(id)) = item else {
            return None;
        };
        let term = self.terms[&id];
        (!term.timer).then_some((term.from, id))
    }

    fn check(&self, me: ProcessId, grant: &Grant) {
        assert!(!self.deaths.contains_key(&me), "only the living are asked to go on");
        let dying = matches!(grant, Grant::Die(_) | Grant::Ended);
        // One that has sent itself a signal goes on until it has passed the term to itself.
        let own_signal = matches!(grant, Grant::Sent(to, _) if *to == me);
        assert!(self.simulation.alive(me) != dying || own_signal, "{me:?} {grant:?}");
        let suspended = self.simulation.activity(me) == Some(Activity::Suspended);
        assert!(dying || !suspended, "one that is suspended takes no step");
        self.check_links();
    }

    fn check_links(&self) {
        for process in self.simulation.waiting() {
            for other in self.simulation.links(process) {
                // Between nodes it takes a signal until the other side knows.
                let near = self.simulation.node_of(process) == self.simulation.node_of(other);
                if near && self.simulation.alive(other) {
                    assert!(self.simulation.links(other).contains(&process), "links are symmetric");
                }
            }
        }
    }

    // What scenarios ask.

    pub fn outcome(&self) -> Outcome {
        self.simulation.outcome().expect("the run is over")
    }

    /// The answers to one process, without that to its first step.
    pub fn answers(&self, process: ProcessId) -> Vec<Grant> {
        self.grants
            .iter()
            .filter(|(me, _)| *me == process)
            .map(|(_, grant)| grant.clone())
            .skip(1)
            .collect()
    }

    /// What one process has taken from its mailbox: who sent it, or the item itself where nobody did.
    pub fn senders(&self, process: ProcessId) -> Vec<ProcessId> {
        let items = self.received.get(&process).into_iter().flatten();
        items
            .filter_map(|&item| self.sender(item))
            .map(|(from, _)| from)
            .collect()
    }

    pub fn items(&self, process: ProcessId) -> Vec<Item> {
        self.received.get(&process).cloned().unwrap_or_default()
    }

    pub fn received(&self, process: ProcessId) -> usize {
        self.received.get(&process).map_or(0, Vec::len)
    }
}

/// The first thing that arrived before an earlier one from the same sender.
pub fn out_of_order(arrived: &[(ProcessId, MessageId)]) -> Option<MessageId> {
    let mut last = BTreeMap::new();
    arrived
        .iter()
        .find(|(from, id)| last.insert(*from, *id).is_some_and(|before| before > *id))
        .map(|&(_, id)| id)
}

// Operations, shortly.

pub fn p(number: u32) -> ProcessId {
    ProcessId(number)
}

pub fn send(to: u32) -> Op {
    Op::Send(Target::Process(p(to)))
}

pub fn receive() -> Op {
    Op::Receive(Wait::Forever)
}

pub fn poll() -> Op {
    Op::Receive(Wait::Poll)
}

pub fn wait(micros: u64) -> Op {
    Op::Receive(Wait::For(micros))
}

pub fn spawn(node: lockstep_core::NodeId) -> Op {
    Op::Spawn {
        node,
        link: false,
        monitor: None,
        alias: None,
        request: None,
    }
}

/// Asks for a process, and wants no answer.
pub fn request(node: lockstep_core::NodeId, reference: u64) -> Op {
    let request = Request {
        reference: RefId(reference),
        success: false,
        failure: false,
    };
    Op::Spawn {
        node,
        link: false,
        monitor: None,
        alias: None,
        request: Some(request),
    }
}

pub fn monitor(process: u32, reference: u64) -> Op {
    Op::Monitor {
        target: Target::Process(p(process)),
        reference: RefId(reference),
        alias: None,
    }
}

pub fn timer(after: u64, process: u32, reference: u64) -> Op {
    Op::StartTimer {
        after,
        target: Target::Process(p(process)),
        reference: RefId(reference),
    }
}

pub fn start(node: lockstep_core::NodeId) -> Op {
    Op::StartNode {
        name: NODES[usize::from(node.0) - 1],
        connect: true,
    }
}

pub fn kill(process: u32) -> Op {
    Op::Signal(p(process), ExitClass::Kill)
}

pub fn exit(class: ExitClass) -> Op {
    Op::Exit(class)
}

pub fn cut(a: lockstep_core::NodeId, b: lockstep_core::NodeId, mode: PartitionMode) -> Op {
    Op::Partition(vec![vec![a], vec![b]], mode)
}

/// The main process starts nodes and then processes on them, numbered from 1, and goes on with `rest`.
pub fn main_on(nodes: &[lockstep_core::NodeId], rest: Vec<Op>) -> Vec<Op> {
    let mut script: Vec<_> = [A, B, C].into_iter().map(start).collect();
    script.extend(nodes.iter().map(|&node| spawn(node)));
    script.extend(rest);
    script
}

pub const MAIN_PROCESS: ProcessId = MAIN;
