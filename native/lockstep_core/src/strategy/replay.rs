use super::{Candidates, Strategy};
use crate::clock::Micros;

/// Replays a choice log; behind its end, and where a choice does not fit, it goes on undisturbed.
#[derive(Debug)]
pub struct Replay {
    log: Vec<u64>,
    next: usize,
    divergence: Option<u64>,
}

impl Replay {
    /// A replay of `log`.
    pub fn new(log: Vec<u64>) -> Self {
        Replay {
            log,
            next: 0,
            divergence: None,
        }
    }

    fn take(&mut self, max: u64) -> u64 {
        let choice = self.log.get(self.next).copied().unwrap_or(0);
        self.next += 1;
        if choice <= max {
            return choice;
        }
        self.divergence.get_or_insert(self.next as u64);
        0
    }
}

impl Strategy for Replay {
    fn schedule(&mut self, _candidates: &Candidates<'_>, choices: usize) -> usize {
        self.take(choices as u64 - 1) as usize
    }

    fn stall(&mut self, max: Micros, _upcoming: &[Micros]) -> Micros {
        self.take(max)
    }

    fn latency(&mut self, max: Micros) -> Micros {
        self.take(max)
    }

    fn fault(&mut self, count: u64) -> u64 {
        self.take(count - 1)
    }

    fn divergence(&self) -> Option<u64> {
        self.divergence
    }
}
