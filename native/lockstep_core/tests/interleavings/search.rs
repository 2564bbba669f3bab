//! All schedules of a program, and its interleavings as the explorer runs them: the one has to be what the other is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use crate::config;
use crate::program::{Run, Script};
use lockstep_core::strategy::{Candidates, Strategy as Scheduler};
use lockstep_core::{Bound, Config, Explored, Explorer, Outcome, ProcessId};

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
pub(crate) fn explore(scripts: &[Script], config: &Config, bound: Bound) -> (Vec<u64>, Explored) {
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
pub(crate) fn check(scripts: &[Script], delivery: bool, most: usize) -> Option<usize> {
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
