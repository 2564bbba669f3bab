use super::swarm::Swarm;
use super::{Candidates, Strategy};
use crate::clock::Micros;

/// The random walk: each enabled event is equally likely at each step.
#[derive(Debug)]
pub struct Random(Swarm);

impl Random {
    /// The walk of one seed.
    pub fn new(seed: u64) -> Self {
        Random(Swarm::new(seed))
    }
}

impl Strategy for Random {
    fn schedule(&mut self, candidates: &Candidates<'_>, choices: usize) -> usize {
        let index = self.0.any(candidates);
        if self.0.holds_back(candidates, choices, index) {
            candidates.len() + index
        } else {
            index
        }
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
}
