use super::swarm::Swarm;
use super::{Candidates, Strategy};
use crate::clock::Micros;

/// Somebody outside of the core says what comes next; latencies and faults are drawn from the seed.
///
/// A run under this strategy stops at each choice ([`Next::Choose`](crate::Next::Choose)) until
/// [`Simulation::answer`](crate::Simulation::answer) tells it how that is made.
#[derive(Debug)]
pub struct Outside {
    swarm: Swarm,
    answer: Answer,
}

/// A choice that was made outside.
#[derive(Debug, Clone, Copy, Default)]
pub struct Answer {
    /// The place of the candidate.
    pub index: usize,
    /// How long it is held back instead of happening; 0 is not at all.
    pub stall: Micros,
}

impl Outside {
    /// The run of one seed.
    pub fn new(seed: u64) -> Self {
        Outside {
            swarm: Swarm::new(seed),
            answer: Answer::default(),
        }
    }
}

impl Strategy for Outside {
    fn schedule(&mut self, candidates: &Candidates<'_>, choices: usize) -> usize {
        let Answer { index, stall } = self.answer;
        if stall > 0 && choices > candidates.len() {
            candidates.len() + index
        } else {
            index
        }
    }

    fn stall(&mut self, _max: Micros, _upcoming: &[Micros]) -> Micros {
        self.answer.stall
    }

    fn latency(&mut self, max: Micros) -> Micros {
        self.swarm.latency(max)
    }

    fn fault(&mut self, count: u64) -> u64 {
        self.swarm.fault(count)
    }

    fn is_outside(&self) -> bool {
        true
    }

    fn answer(&mut self, answer: Answer) {
        self.answer = answer;
    }
}
