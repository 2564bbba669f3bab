//! The hash alone: two neighbouring events can be swapped if they do not conflict, and only then.

use std::collections::VecDeque;

use crate::config;
use crate::program::{Act, Run, Script};
use lockstep_core::strategy::{Actor, Candidates, Strategy as Scheduler};
use lockstep_core::{MAIN, Outcome, ProcessId};
use proptest::prelude::*;

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
