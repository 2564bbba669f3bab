//! Where a run's decisions are made and written down.

use crate::clock::Micros;
use crate::ids::ProcessId;
use crate::strategy::{Answer, Candidates, Profile, Strategy, Trail};

/// Asks the strategy for each choice and keeps the choice log.
///
/// A choice is one number; 0 always means "undisturbed": the event at the front of the queue, no delay. Where there
/// is nothing to choose nothing is asked or logged, so a log holds real choices only.
#[derive(Debug)]
pub struct Choices {
    strategy: Box<dyn Strategy>,
    log: Option<Vec<u64>>,
    /// Whether the next choice has still to be made outside.
    asks: bool,
}

/// What is to happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The event at this place in the queue.
    Run(usize),
    /// The process at this place in the queue is held back for so long.
    Stall(usize, Micros),
}

impl Choices {
    /// Choices made by `strategy`, logged if `record`.
    pub fn new(strategy: Box<dyn Strategy>, record: bool) -> Self {
        Choices {
            asks: strategy.is_outside(),
            strategy,
            log: record.then(Vec::new),
        }
    }

    /// Chooses among the enabled events. `max_stall` 0 means that nobody may be held back here; `upcoming` is asked for
    /// the deadlines that a stall may reach.
    ///
    /// In the log, a number below the count of candidates is an event to run; `count + i` holds back candidate `i`, and
    /// the next number is for how long.
    pub fn next(
        &mut self,
        candidates: &Candidates<'_>,
        max_stall: Micros,
        upcoming: impl FnOnce() -> Vec<Micros>,
    ) -> Decision {
        let count = candidates.len();
        if count == 1 && max_stall == 0 {
            self.strategy.forced(candidates);
            return Decision::Run(0);
        }
        self.asks = self.strategy.is_outside();
        let choices = if max_stall > 0 { 2 * count } else { count };
        let choice = self.strategy.schedule(candidates, choices).min(choices - 1);
        self.write(choice as u64);
        if choice < count {
            return Decision::Run(choice);
        }
        let length = self.strategy.stall(max_stall, &upcoming()).clamp(1, max_stall);
        self.write(length);
        Decision::Stall(choice - count, length)
    }

    /// An event that somebody else than the strategy has chosen, among so many.
    pub fn decided(&mut self, index: usize, count: usize, max_stall: Micros) -> Decision {
        if count > 1 || max_stall > 0 {
            self.write(index as u64);
        }
        Decision::Run(index)
    }

    /// Chooses how long a message is under way, up to `max`.
    pub fn latency(&mut self, max: Micros) -> Micros {
        if max == 0 {
            return 0;
        }
        let latency = self.strategy.latency(max).min(max);
        self.write(latency);
        latency
    }

    /// Chooses what a fault injector does: one of `count` things.
    pub fn fault(&mut self, count: u64) -> u64 {
        if count <= 1 {
            return 0;
        }
        let choice = self.strategy.fault(count).min(count - 1);
        self.write(choice);
        choice
    }

    /// Whether a choice cannot be made before it was made outside.
    pub fn asks(&self) -> bool {
        self.asks
    }

    /// The next choice, which was made outside.
    pub fn answer(&mut self, answer: Answer) {
        self.asks = false;
        self.strategy.answer(answer);
    }

    /// Tells the strategy that a process has taken what was in its mailbox.
    pub fn looked(&mut self, process: ProcessId) {
        self.strategy.looked(process);
    }

    /// What the strategy has found out about the program.
    pub fn profile(&self) -> Option<Profile> {
        self.strategy.profile()
    }

    /// The number of the first choice that a replayed log could not make.
    pub fn divergence(&self) -> Option<u64> {
        self.strategy.divergence()
    }

    /// What has been done, by whom, if the strategy keeps it.
    pub fn trail(&self) -> Option<&Trail> {
        self.strategy.trail()
    }

    /// The choices so far; empty unless recorded.
    pub fn log(&self) -> &[u64] {
        self.log.as_deref().unwrap_or_default()
    }

    fn write(&mut self, choice: u64) {
        if let Some(log) = &mut self.log {
            log.push(choice);
        }
    }
}
