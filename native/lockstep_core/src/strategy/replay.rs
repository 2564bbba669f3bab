use super::{Candidates, Strategy};
use crate::clock::Micros;

/// Replays a choice log; behind its end, and where a choice does not fit, it goes on undisturbed.
#[derive(Debug)]
pub struct Replay {
    log: Vec<u64>,
    next: usize,
    lenient: bool,
    divergence: Option<u64>,
}

impl Replay {
    /// A replay of `log`.
    pub fn new(log: Vec<u64>) -> Self {
        Replay {
            log,
            next: 0,
            lenient: false,
            divergence: None,
        }
    }

    /// A replay of `log` that is not over when a choice does not fit.
    pub fn lenient(log: Vec<u64>) -> Self {
        Replay {
            lenient: true,
            ..Replay::new(log)
        }
    }

    fn take(&mut self, max: u64) -> u64 {
        let choice = self.log.get(self.next).copied().unwrap_or(0);
        self.next += 1;
        if choice <= max {
            return choice;
        }
        if !self.lenient {
            self.divergence.get_or_insert(self.next as u64);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_noticed_unless_the_replay_is_lenient() {
        let log = vec![1, 9, 1];
        let choices = |mut replay: Replay| ([(); 4].map(|()| replay.fault(2)), replay.divergence());
        assert_eq!(choices(Replay::new(log.clone())), ([1, 0, 1, 0], Some(2)));
        assert_eq!(choices(Replay::lenient(log)), ([1, 0, 1, 0], None));
    }
}
