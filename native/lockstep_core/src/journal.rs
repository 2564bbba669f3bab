//! The events of one run as whoever enumerates interleavings needs them: who acted, on what, and because of which others.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::causality::{Thing, Touch};
use crate::ids::ProcessId;
use crate::strategy::Actor;

/// The place of no event.
pub(crate) const NOWHERE: u32 = u32::MAX;

/// The events of one run.
#[derive(Debug, Default)]
pub struct Journal {
    steps: Vec<Step>,
    touches: Vec<Touch>,
    causes: Vec<u32>,
    chains: Vec<Chain>,
    /// The last event of each actor that is no process.
    others: BTreeMap<Actor, u32>,
    /// The first event since the clock last jumped.
    era: u32,
}

/// One event.
#[derive(Debug, Clone)]
struct Step {
    actor: Actor,
    touches: Range<u32>,
    causes: Range<u32>,
    era: u32,
}

/// What a process's next event comes after.
#[derive(Debug, Default)]
struct Chain {
    joined: Vec<u32>,
    /// Which events have put what it has not yet fetched into its mailbox.
    arrived: Vec<u32>,
    /// The same for what it has fetched and not taken, in the order of its mailbox.
    waiting: Vec<u32>,
}

impl Journal {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.steps.clear();
        self.touches.clear();
        self.causes.clear();
        self.chains.clear();
        self.others.clear();
        self.era = 0;
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Who acted.
    pub fn actor(&self, step: usize) -> Actor {
        self.steps[step].actor
    }

    /// What was touched.
    pub fn touches(&self, step: usize) -> &[Touch] {
        let Range { start, end } = self.steps[step].touches;
        &self.touches[start as usize..end as usize]
    }

    /// The events without which it could not have happened.
    pub fn causes(&self, step: usize) -> &[u32] {
        let Range { start, end } = self.steps[step].causes;
        &self.causes[start as usize..end as usize]
    }

    /// All events before this one come before it, because the clock has jumped meanwhile.
    pub fn era(&self, step: usize) -> usize {
        self.steps[step].era as usize
    }

    pub(crate) fn latest(&self) -> u32 {
        self.steps.len().checked_sub(1).map_or(NOWHERE, |last| last as u32)
    }

    pub(crate) fn begin_of(&mut self, process: ProcessId) {
        let from = self.causes.len() as u32;
        let chain = chain(&mut self.chains, process);
        self.causes.append(&mut chain.joined);
        chain.joined.push(self.steps.len() as u32);
        self.push(Actor::Process(process), from);
    }

    pub(crate) fn begin(&mut self, actor: Actor, cause: u32) {
        let from = self.causes.len() as u32;
        let before = self.others.insert(actor, self.steps.len() as u32);
        self.causes.extend(before);
        self.causes.extend((cause != NOWHERE).then_some(cause));
        self.push(actor, from);
    }

    fn push(&mut self, actor: Actor, causes: u32) {
        let touches = self.touches.len() as u32;
        self.steps.push(Step {
            actor,
            touches: touches..touches,
            causes: causes..self.causes.len() as u32,
            era: self.era,
        });
    }

    /// Each event of a process reads what may stop it.
    pub(crate) fn end(&mut self, process: Option<ProcessId>, touches: &[Touch]) {
        self.touches.extend_from_slice(touches);
        self.touches.extend(process.map(|process| Touch {
            thing: Thing::Acts(process),
            write: false,
        }));
        if let Some(step) = self.steps.last_mut() {
            step.touches.end = self.touches.len() as u32;
        }
    }

    pub(crate) fn jump(&mut self) {
        self.era = self.steps.len() as u32;
    }

    pub(crate) fn join(&mut self, process: ProcessId, step: u32) {
        if step != NOWHERE {
            chain(&mut self.chains, process).joined.push(step);
        }
    }

    pub(crate) fn arrived(&mut self, process: ProcessId, step: u32) {
        chain(&mut self.chains, process).arrived.push(step);
    }

    pub(crate) fn left(&mut self, process: ProcessId, left: &[bool]) {
        let mut left = left.iter();
        let arrived = &mut chain(&mut self.chains, process).arrived;
        arrived.retain(|_| left.next().copied().unwrap_or(true));
    }

    pub(crate) fn fetched(&mut self, process: ProcessId) {
        let Chain { arrived, waiting, .. } = chain(&mut self.chains, process);
        waiting.append(arrived);
    }

    pub(crate) fn took(&mut self, process: ProcessId, place: usize, take: bool) {
        let waiting = &mut chain(&mut self.chains, process).waiting;
        let Some(&step) = waiting.get(place) else { return };
        if take {
            waiting.remove(place);
        }
        self.join(process, step);
    }
}

fn chain(chains: &mut Vec<Chain>, process: ProcessId) -> &mut Chain {
    let index = process.0 as usize;
    if index >= chains.len() {
        chains.resize_with(index + 1, Chain::default);
    }
    &mut chains[index]
}
