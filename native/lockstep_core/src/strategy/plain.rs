//! The same rules as plainly as can be, going over all candidates each time: what those that are used are compared with.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::strategy::Strategy as _;

use super::pct::distinct;
use super::{
    Actor, Candidate, CandidateView, Candidates, Lineage, Object, Pct, Pos, Profile, Profiler, Rule, Search, Strategy,
    Surw,
};
use crate::clock::Micros;
use crate::ids::{CONTROL, ProcessId, RefId, Symbol};
use crate::op::{ExitClass, Grant, Op, Target, Wait};
use crate::rng::Rng;
use crate::simulation::{Config, Next, Simulation};

/// Priorities of actors, drawn when they are needed, in the order of the candidates.
#[derive(Debug, Default)]
struct Priorities(BTreeMap<Actor, u64>);

impl Priorities {
    fn highest(
        &mut self,
        candidates: &Candidates<'_>,
        rng: &mut Rng,
        eligible: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let all = (0..candidates.len()).filter(|&index| eligible(index));
        all.max_by_key(|&index| {
            let drawn = || rng.next_u64() | (1 << 63);
            *self.0.entry(candidates.actor(index)).or_insert_with(drawn)
        })
    }

    fn redraw_conflicting(&mut self, candidates: &Candidates<'_>, index: usize) {
        let done = candidates.get(index);
        self.0.remove(&candidates.actor(index));
        for other in (0..candidates.len()).filter(|&other| candidates.get(other).conflicts(&done)) {
            self.0.remove(&candidates.actor(other));
        }
    }
}

fn first_local(candidates: &Candidates<'_>) -> Option<usize> {
    (0..candidates.len()).find(|&index| candidates.get(index).object == Object::Local)
}

#[derive(Debug, Default)]
struct PlainPos(Priorities);

impl Rule for PlainPos {
    fn pick(&mut self, candidates: &Candidates<'_>, rng: &mut Rng) -> usize {
        let local = first_local(candidates);
        local.unwrap_or_else(|| self.0.highest(candidates, rng, |_| true).expect("there is one"))
    }

    fn ran(&mut self, candidates: &Candidates<'_>, index: usize, _rng: &mut Rng) {
        self.0.redraw_conflicting(candidates, index);
    }
}

#[derive(Debug)]
struct PlainPct {
    priorities: Priorities,
    points: Vec<u64>,
    choices: u64,
}

impl Rule for PlainPct {
    fn pick(&mut self, candidates: &Candidates<'_>, rng: &mut Rng) -> usize {
        self.priorities
            .highest(candidates, rng, |_| true)
            .expect("there is one")
    }

    fn ran(&mut self, candidates: &Candidates<'_>, index: usize, _rng: &mut Rng) {
        if candidates.len() > 1 {
            self.choices += 1;
            if let Some(place) = self.points.iter().position(|&point| point == self.choices) {
                self.priorities.0.insert(candidates.actor(index), place as u64 + 1);
            }
        }
    }
}

#[derive(Debug)]
struct PlainSurw {
    profile: Profile,
    only: Option<Lineage>,
    priorities: Priorities,
    left: BTreeMap<Lineage, u64>,
    intended: Option<Lineage>,
    blocked: BTreeSet<Lineage>,
}

impl PlainSurw {
    fn new(profile: Profile, rng: &mut Rng) -> Self {
        let objects = profile.contended.len() as u32;
        let one = (objects > 1 && rng.one_in(2)).then(|| rng.below(objects) as usize);
        PlainSurw {
            only: one.and_then(|place| profile.contended.iter().nth(place).copied()),
            profile,
            priorities: Priorities::default(),
            left: BTreeMap::new(),
            intended: None,
            blocked: BTreeSet::new(),
        }
    }

    fn is_interesting(&self, candidates: &Candidates<'_>, index: usize) -> bool {
        match candidates.get(index).object {
            Object::Local => false,
            Object::World => self.only.is_none(),
            object => {
                let identity = candidates.identity(object);
                self.only.is_none_or(|only| only == identity) && self.profile.contended.contains(&identity)
            }
        }
    }

    fn weight(&self, lineage: Lineage) -> Option<u64> {
        let all = self.profile.weights.get(&lineage).copied()?;
        let share = |object| self.profile.shares.get(&(object, lineage)).copied().unwrap_or(0);
        Some(self.only.map_or(all, share))
    }

    fn meet(&mut self, candidates: &Candidates<'_>, rng: &mut Rng) {
        for index in 0..candidates.len() {
            let lineage = candidates.lineage(index);
            if self.left.contains_key(&lineage) {
                continue;
            }
            let own = self.weight(lineage);
            self.left.insert(lineage, own.unwrap_or(1));
            if let (Some(own), Some(parent)) = (own, candidates.parent(index)) {
                let of_parent = self.weight(parent).unwrap_or(1);
                let before = self.left.entry(parent).or_insert(of_parent);
                let passes_on = self.intended == Some(parent) && u64::from(rng.below((*before).max(1) as u32)) < own;
                *before = before.saturating_sub(own);
                if passes_on {
                    self.intended = Some(lineage);
                }
            }
        }
    }

    fn intend(&self, candidates: &Candidates<'_>, rng: &mut Rng) -> Lineage {
        let weight =
            |index| self.left[&candidates.lineage(index)].max(u64::from(self.is_interesting(candidates, index)));
        let sum: u64 = (0..candidates.len()).map(weight).sum();
        let mut drawn = u64::from(rng.below(sum as u32));
        for index in 0..candidates.len() {
            if drawn < weight(index) {
                return candidates.lineage(index);
            }
            drawn -= weight(index);
        }
        unreachable!("what is drawn is below the sum of the weights")
    }

    fn unblock(&mut self) {
        self.blocked.clear();
        self.intended = None;
    }
}

impl Rule for PlainSurw {
    fn pick(&mut self, candidates: &Candidates<'_>, rng: &mut Rng) -> usize {
        self.meet(candidates, rng);
        if let Some(local) = first_local(candidates) {
            return local;
        }
        loop {
            let blocked = &self.blocked;
            let free = |index: usize| !blocked.contains(&candidates.lineage(index));
            let Some(index) = self.priorities.highest(candidates, rng, free) else {
                self.unblock();
                continue;
            };
            if !self.is_interesting(candidates, index) {
                return index;
            }
            if self.intended.is_none() {
                self.intended = Some(self.intend(candidates, rng));
            }
            let lineage = candidates.lineage(index);
            if self.intended == Some(lineage) {
                return index;
            }
            self.blocked.insert(lineage);
        }
    }

    fn ran(&mut self, candidates: &Candidates<'_>, index: usize, rng: &mut Rng) {
        if candidates.len() == 1 {
            self.meet(candidates, rng);
        }
        let lineage = candidates.lineage(index);
        if self.is_interesting(candidates, index) {
            if let Some(left) = self.left.get_mut(&lineage) {
                *left = left.saturating_sub(1);
            }
            if self.intended == Some(lineage) {
                self.unblock();
            }
        }
        self.priorities.redraw_conflicting(candidates, index);
    }

    fn held_back(&mut self, candidates: &Candidates<'_>, index: usize) {
        if self.intended == Some(candidates.lineage(index)) {
            self.unblock();
        }
    }
}

/// The candidates for one who hears of no changes, and so looks at all of them each time.
#[derive(Debug)]
struct Unheard<'a>(&'a Candidates<'a>);

impl CandidateView for Unheard<'_> {
    fn candidate(&self, index: usize) -> Candidate {
        self.0.get(index)
    }

    fn actor(&self, index: usize) -> Actor {
        self.0.actor(index)
    }

    fn lineage(&self, index: usize) -> Lineage {
        self.0.lineage(index)
    }

    fn parent(&self, index: usize) -> Option<Lineage> {
        self.0.parent(index)
    }

    fn identity(&self, object: Object) -> Lineage {
        self.0.identity(object)
    }
}

#[derive(Debug, Default)]
struct PlainProfiler(Profiler);

impl Strategy for PlainProfiler {
    fn schedule(&mut self, candidates: &Candidates<'_>, choices: usize) -> usize {
        let unheard = Unheard(candidates);
        let candidates = Candidates::new(&unheard, candidates.len(), candidates.due_soon());
        self.0.schedule(&candidates, choices)
    }

    fn forced(&mut self, candidates: &Candidates<'_>) {
        self.schedule(candidates, 1);
    }

    fn looked(&mut self, process: ProcessId) {
        self.0.looked(process);
    }

    fn stall(&mut self, max: Micros, upcoming: &[Micros]) -> Micros {
        self.0.stall(max, upcoming)
    }

    fn latency(&mut self, max: Micros) -> Micros {
        self.0.latency(max)
    }

    fn fault(&mut self, count: u64) -> u64 {
        self.0.fault(count)
    }

    fn profile(&self) -> Option<Profile> {
        self.0.profile()
    }
}

// Programs.

const NAMES: [Symbol; 2] = [Symbol(1), Symbol(2)];

fn targets() -> impl proptest::strategy::Strategy<Value = Target> {
    prop_oneof![
        3 => (0..30u32).prop_map(|number| Target::Process(ProcessId(number))),
        2 => (0..2usize).prop_map(|name| Target::Name(CONTROL, NAMES[name])),
    ]
}

fn accesses() -> impl proptest::strategy::Strategy<Value = Op> {
    let objects = prop_oneof![
        4 => (0..3u64).prop_map(Object::Shared),
        4 => (0..2u32, prop::option::of(0..3u32)).prop_map(|(table, entry)| Object::Table { table, entry }),
        1 => Just(Object::World),
        2 => Just(Object::Local),
    ];
    (objects, any::<bool>()).prop_map(|(object, write)| Op::Access { object, write })
}

fn ops() -> impl proptest::strategy::Strategy<Value = Op> {
    let process = || (0..30u32).prop_map(ProcessId);
    let messages = prop_oneof![
        4 => targets().prop_map(Op::Send),
        2 => prop_oneof![Just(0), Just(50), Just(3_000)].prop_map(|time| Op::Receive(Wait::For(time))),
        1 => Just(Op::Receive(Wait::Poll)),
        1 => (0..2_000u64, targets(), 1..4u64).prop_map(|(after, target, number)| Op::StartTimer {
            after,
            target,
            reference: RefId((1 << 32) | number),
        }),
        1 => (1..4u64).prop_map(|number| Op::CancelTimer(RefId((1 << 32) | number))),
    ];
    let others = prop_oneof![
        3 => Just(Op::Spawn { node: CONTROL, link: false, monitor: None, alias: None, request: None }),
        2 => (0..2usize, process()).prop_map(|(name, process)| Op::Register(NAMES[name], process)),
        1 => (0..2usize).prop_map(|name| Op::Unregister(NAMES[name])),
        1 => (0..2usize).prop_map(|name| Op::Whereis(NAMES[name])),
        1 => process().prop_map(|process| Op::Signal(process, ExitClass::Kill)),
        1 => process().prop_map(Op::Link),
        1 => process().prop_map(|process| Op::Suspend { process, once: false }),
        2 => process().prop_map(Op::Resume),
        1 => Just(Op::Yield),
    ];
    prop_oneof![5 => accesses(), 4 => messages, 3 => others]
}

/// The main process starts some, and all do what their scripts say as far as they may.
fn programs() -> impl proptest::strategy::Strategy<Value = Vec<Vec<Op>>> {
    let script = prop::collection::vec(ops(), 0..20);
    prop::collection::vec(script, 2..30)
}

fn run(config: &Config, scripts: &[Vec<Op>], strategy: Box<dyn Strategy>) -> (Vec<u64>, u64, Option<Profile>) {
    let mut simulation = Simulation::new(config.clone(), strategy);
    for name in ["one", "two"] {
        simulation.intern(name);
    }
    let mut scripts: Vec<_> = scripts.iter().map(|script| script.clone().into_iter()).collect();
    let mut to_start = scripts.len() - 1;
    let (mut owner, mut timers) = (false, 0);
    let mut next = simulation.begin().expect("it begins");
    while let Next::Go(me, grant) = next {
        if matches!(grant, Grant::Ended | Grant::Die(_)) {
            simulation.finish(me, &[]).expect("it ends");
            next = simulation.reaped(me).expect("it is gone");
            continue;
        }
        let op = match scripts.get_mut(me.0 as usize) {
            _ if me.0 == 0 && to_start > 0 => {
                to_start -= 1;
                Op::Spawn {
                    node: CONTROL,
                    link: false,
                    monitor: None,
                    alias: None,
                    request: None,
                }
            }
            Some(script) => script.next().unwrap_or(Op::Exit(ExitClass::Normal)),
            None => Op::Exit(ExitClass::Normal),
        };
        // No reference is made twice.
        let op = match op {
            Op::StartTimer { after, target, .. } => {
                timers += 1;
                let reference = RefId((1 << 32) | timers);
                Op::StartTimer {
                    after,
                    target,
                    reference,
                }
            }
            op => op,
        };
        // Now and then somebody owns something while others are about to end it.
        if matches!(op, Op::Whereis(_)) {
            owner = !owner;
            simulation.set_owner(ProcessId(u32::from(owner)));
        }
        next = simulation
            .announce(me, op)
            .unwrap_or_else(|_| simulation.announce(me, Op::Yield).expect("its turn"));
    }
    (simulation.choices().to_vec(), simulation.hash(), simulation.profile())
}

fn config(async_delivery: bool, max_stall: u64) -> Config {
    Config {
        seed: 1,
        max_steps: 5_000,
        max_virtual_time: 10_000_000,
        max_stall,
        max_latency: 100,
        async_delivery,
        node_order: false,
        quiescence: true,
        fail_on_crash: false,
        fail_on_blocked: false,
        record: true,
        control: "control".to_owned(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    /// For whoever remembers what he has seen, and for whoever goes over everything each time, a seed is the same run.
    #[test]
    fn who_remembers_chooses_as_who_looks_at_everything(
        scripts in programs(),
        seed in 0..1_000u64,
        async_delivery in any::<bool>(),
        max_stall in prop_oneof![Just(0), Just(1_000u64)],
    ) {
        let config = config(async_delivery, max_stall);
        let profile = run(&config, &scripts, Box::new(Profiler::default())).2.expect("it is kept");
        let plain = run(&config, &scripts, Box::new(PlainProfiler::default())).2.expect("it is kept");
        prop_assert_eq!(&plain, &profile);
        let of = |strategy| {
            let (choices, hash, _) = run(&config, &scripts, strategy);
            (choices, hash)
        };
        let known = Some(&profile);
        let plain = Search::new(seed, known, |_| PlainPos::default());
        prop_assert_eq!(of(Box::new(Pos::search(seed, known))), of(Box::new(plain)));
        let plain = Search::new(seed, known, |rng| PlainPct {
            priorities: Priorities::default(),
            points: distinct(3, profile.choices, rng),
            choices: 0,
        });
        prop_assert_eq!(of(Box::new(Pct::search(seed, 4, known))), of(Box::new(plain)));
        let plain = Search::new(seed, known, |rng| PlainSurw::new(profile.clone(), rng));
        prop_assert_eq!(of(Box::new(Surw::search(seed, known))), of(Box::new(plain)));
    }
}
