use std::collections::BTreeMap;
use std::collections::VecDeque;

use super::{Candidates, Object, Replay, Strategy};
use crate::clock::Micros;

/// How far somebody has got: how often it has acted, and in the low bits, since it did so last, how often it has gone on
/// with a `receive`. Whether it has to depends on when the messages come, so that this must not count for the rest.
type Progress = u64;

const ACT: Progress = 1 << 16;

/// One thing that was done, or is to be done, by somebody who is known by its lineage.
///
/// A log of positions in the queue means something else as soon as one of them is left out. Deeds do not: "this process
/// goes on until it has taken seven steps" can be wanted whatever the others have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// `who` acts, until it has got so far.
    Act { who: u64, until: Progress },
    /// `who`, which has got so far, is held back for so long.
    Stall { who: u64, at: Progress, length: Micros },
    /// The `at`-th length of time that was chosen for what `who` does is so long.
    Latency { who: u64, at: u64, length: Micros },
    /// The `at`-th choice of `who`, which injects faults.
    Fault { who: u64, at: u64, choice: u64 },
}

/// A deed of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// What was done.
    pub deed: Deed,
    /// The number of the step that it led to; 0 where it led to none.
    pub step: u64,
    /// What it touched, as a number that is the same for what overlaps; [`NOTHING`] and [`EVERYTHING`] are special.
    pub touched: u64,
}

/// What nobody else sees is touched.
pub const NOTHING: u64 = 0;
/// Whatever else is touched is touched, too.
pub const EVERYTHING: u64 = u64::MAX;

/// What has been done in a run.
#[derive(Debug, Default)]
pub struct Trail {
    deeds: Vec<Done>,
    switches: u64,
    deviations: u64,
}

impl Trail {
    /// Every deed, one after the other.
    pub fn deeds(&self) -> &[Done] {
        &self.deeds
    }

    /// The same, with what one does in a row as one deed.
    pub fn blocks(&self) -> Vec<Done> {
        let mut blocks: Vec<Done> = Vec::new();
        for &done in &self.deeds {
            match (done.deed, blocks.last_mut().map(|last| &mut last.deed)) {
                (Deed::Act { who, until }, Some(Deed::Act { who: last, until: end })) if who == *last => *end = until,
                _ => blocks.push(done),
            }
        }
        blocks
    }

    fn push(&mut self, deed: Deed, step: u64, touched: u64) {
        self.deeds.push(Done { deed, step, touched });
    }

    /// How often a process that could go on was left for another.
    pub fn switches(&self) -> u64 {
        self.switches
    }

    /// How often somebody acted who was not the first in the queue.
    pub fn deviations(&self) -> u64 {
        self.deviations
    }
}

/// Follows a trail of deeds as far as that is possible, and keeps the trail of what it has done.
///
/// Who is to act next and cannot is passed over. When nobody who is to act can, and when the trail is at its end, the
/// run goes on undisturbed.
#[derive(Debug)]
pub struct Guided {
    source: Source,
    trail: Trail,
    counts: BTreeMap<u64, Counts>,
    /// Who has acted last, and the process that has.
    last: u64,
    running: u64,
    length: Option<Micros>,
}

#[derive(Debug)]
enum Source {
    Log(Replay),
    Plan(Plan),
}

#[derive(Debug, Default)]
struct Plan {
    schedule: VecDeque<Deed>,
    latencies: BTreeMap<(u64, u64), Micros>,
    faults: BTreeMap<(u64, u64), u64>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    acts: Progress,
    latencies: u64,
    faults: u64,
}

impl Guided {
    /// Does what the choice log says, to learn its trail.
    pub fn along(log: Vec<u64>) -> Self {
        Guided::new(Source::Log(Replay::new(log)))
    }

    /// Does what `deeds` say.
    pub fn by(deeds: Vec<Deed>) -> Self {
        let mut plan = Plan::default();
        for deed in deeds {
            match deed {
                Deed::Act { .. } | Deed::Stall { .. } => plan.schedule.push_back(deed),
                Deed::Latency { who, at, length } => drop(plan.latencies.insert((who, at), length)),
                Deed::Fault { who, at, choice } => drop(plan.faults.insert((who, at), choice)),
            }
        }
        Guided::new(Source::Plan(plan))
    }

    fn new(source: Source) -> Self {
        Guided {
            source,
            trail: Trail::default(),
            counts: BTreeMap::new(),
            last: 0,
            running: 0,
            length: None,
        }
    }

    /// The next choice of the plan, and for how long if somebody is held back.
    fn planned(&mut self, candidates: &Candidates<'_>, choices: usize) -> (usize, Option<Micros>) {
        let Source::Plan(plan) = &mut self.source else {
            return (0, None);
        };
        let lineages: Vec<u64> = (0..candidates.len()).map(|index| candidates.lineage(index).0).collect();
        let next = plan.schedule.iter().enumerate().find_map(|(place, &deed)| {
            let index = possible(deed, &self.counts, candidates, &lineages)?;
            Some((place, deed, index))
        });
        let Some((place, deed, index)) = next else {
            return (0, None);
        };
        plan.schedule.drain(..place);
        match deed {
            Deed::Stall { who, at, length } if acts(&self.counts, who) == at => {
                plan.schedule.pop_front();
                if choices > candidates.len() && candidates.get(index).process.is_some() {
                    (candidates.len() + index, Some(length))
                } else {
                    (index, None)
                }
            }
            _ => (index, None),
        }
    }

    fn acted(&mut self, candidates: &Candidates<'_>, index: usize) {
        let who = candidates.lineage(index).0;
        let front = candidates.lineage(0).0;
        self.trail.deviations += u64::from(index > 0);
        if candidates.get(index).process.is_some() {
            let left = front == self.running && candidates.get(0).process.is_some();
            self.trail.switches += u64::from(left && index > 0);
            self.running = who;
        }
        let counts = self.counts.entry(who).or_default();
        counts.acts = if candidates.receives(index) {
            counts.acts + 1
        } else {
            (counts.acts / ACT + 1) * ACT
        };
        let until = counts.acts;
        let touched = touched(candidates, index);
        self.trail.push(Deed::Act { who, until }, candidates.step(), touched);
        self.last = who;
    }

    fn held_back(&mut self, candidates: &Candidates<'_>, index: usize) {
        let who = candidates.lineage(index).0;
        let at = acts(&self.counts, who);
        self.trail
            .push(Deed::Stall { who, at, length: 0 }, candidates.step(), NOTHING);
    }
}

/// A table and each of its entries count as one.
fn touched(candidates: &Candidates<'_>, index: usize) -> u64 {
    match candidates.get(index).object {
        Object::Local => NOTHING,
        Object::World => EVERYTHING,
        Object::Table { table, .. } => candidates.identity(Object::Table { table, entry: None }).0,
        object => candidates.identity(object).0,
    }
}

fn acts(counts: &BTreeMap<u64, Counts>, who: u64) -> Progress {
    counts.get(&who).map_or(0, |counts| counts.acts)
}

/// Where the one is who is to act, if it can and has not yet got so far.
fn possible(
    deed: Deed,
    counts: &BTreeMap<u64, Counts>,
    candidates: &Candidates<'_>,
    lineages: &[u64],
) -> Option<usize> {
    let (who, until) = match deed {
        Deed::Act { who, until } => (who, until),
        // It has to get there first.
        Deed::Stall { who, at, .. } => (who, at + ACT),
        Deed::Latency { .. } | Deed::Fault { .. } => return None,
    };
    let index = lineages.iter().position(|&lineage| lineage == who)?;
    let acts = acts(counts, who);
    // It was to go on with a `receive`, and does not have to.
    let there = acts / ACT == until / ACT && !candidates.receives(index);
    (acts < until && !there).then_some(index)
}

impl Strategy for Guided {
    fn schedule(&mut self, candidates: &Candidates<'_>, choices: usize) -> usize {
        let choice = match &mut self.source {
            Source::Log(replay) => replay.schedule(candidates, choices),
            Source::Plan(_) => {
                let (choice, length) = self.planned(candidates, choices);
                self.length = length;
                choice
            }
        };
        match choice.checked_sub(candidates.len()) {
            None => self.acted(candidates, choice),
            Some(index) => self.held_back(candidates, index),
        }
        choice
    }

    fn stall(&mut self, max: Micros, upcoming: &[Micros]) -> Micros {
        let chosen = match &mut self.source {
            Source::Log(replay) => replay.stall(max, upcoming),
            Source::Plan(_) => self.length.take().unwrap_or(1),
        };
        let chosen = chosen.clamp(1, max);
        if let Some(Deed::Stall { length, .. }) = self.trail.deeds.last_mut().map(|done| &mut done.deed) {
            *length = chosen;
        }
        chosen
    }

    fn latency(&mut self, max: Micros) -> Micros {
        let who = self.last;
        let counts = self.counts.entry(who).or_default();
        counts.latencies += 1;
        let at = counts.latencies;
        let length = match &mut self.source {
            Source::Log(replay) => replay.latency(max),
            Source::Plan(plan) => plan.latencies.get(&(who, at)).copied().unwrap_or(0).min(max),
        };
        if length > 0 {
            self.trail.push(Deed::Latency { who, at, length }, 0, NOTHING);
        }
        length
    }

    fn fault(&mut self, count: u64) -> u64 {
        let who = self.running;
        let counts = self.counts.entry(who).or_default();
        counts.faults += 1;
        let at = counts.faults;
        let choice = match &mut self.source {
            Source::Log(replay) => replay.fault(count),
            Source::Plan(plan) => plan.faults.get(&(who, at)).copied().unwrap_or(0).min(count - 1),
        };
        if choice > 0 {
            self.trail.push(Deed::Fault { who, at, choice }, 0, NOTHING);
        }
        choice
    }

    fn forced(&mut self, candidates: &Candidates<'_>) {
        self.acted(candidates, 0);
    }

    fn trail(&self) -> Option<&Trail> {
        Some(&self.trail)
    }

    fn divergence(&self) -> Option<u64> {
        match &self.source {
            Source::Log(replay) => replay.divergence(),
            Source::Plan(_) => None,
        }
    }
}
