use super::{Candidates, Strategy};
use crate::clock::Micros;
use crate::rng::{Rng, Stream};

/// How rarely processes are held back in a run, drawn once a run: never, seldom, often.
const STALL_ONE_IN: [u32; 4] = [0, 128, 32, 12];
/// How many of the messages between nodes are slow, drawn once a run.
const SLOW_ONE_IN: [u32; 4] = [0, 8, 3, 1];

/// The random walk: each enabled event is equally likely at each step.
///
/// How often it holds processes back and slows messages down is drawn anew for each seed ("swarm testing", Groce et
/// al., ISSTA 2012): a run with many disturbances and one with none find different bugs.
#[derive(Debug)]
pub struct Random {
    schedule: Rng,
    network: Rng,
    faults: Rng,
    stall_one_in: u32,
    slow_one_in: u32,
}

impl Random {
    /// The walk of one seed.
    pub fn new(seed: u64) -> Self {
        let mut schedule = Rng::new(seed, Stream::Schedule);
        let mut network = Rng::new(seed, Stream::Network);
        let stall_one_in = STALL_ONE_IN[schedule.below(STALL_ONE_IN.len() as u32) as usize];
        let slow_one_in = SLOW_ONE_IN[network.below(SLOW_ONE_IN.len() as u32) as usize];
        Random {
            schedule,
            network,
            faults: Rng::new(seed, Stream::Faults),
            stall_one_in,
            slow_one_in,
        }
    }
}

impl Strategy for Random {
    fn schedule(&mut self, candidates: &Candidates<'_>, choices: usize) -> usize {
        let count = candidates.len();
        let index = if count == 1 {
            0
        } else {
            self.schedule.below(count as u32) as usize
        };
        if choices > count && candidates.get(index).process.is_some() && self.schedule.one_in(self.stall_one_in) {
            return count + index;
        }
        index
    }

    fn stall(&mut self, max: Micros, next: Option<Micros>) -> Micros {
        match next {
            // To come back exactly when something else falls due is what makes the two race.
            Some(next) if next <= max && self.schedule.one_in(2) => next.max(1),
            _ => scaled(&mut self.schedule, max),
        }
    }

    fn latency(&mut self, max: Micros) -> Micros {
        if self.network.one_in(self.slow_one_in) {
            scaled(&mut self.network, max)
        } else {
            0
        }
    }

    fn fault(&mut self, count: u64) -> u64 {
        u64::from(self.faults.below(u32::try_from(count).unwrap_or(u32::MAX)))
    }
}

/// A length up to `max` whose order of magnitude is uniform: short delays matter as often as long ones.
fn scaled(rng: &mut Rng, max: Micros) -> Micros {
    let ceiling = (max >> rng.below(8)).max(1).min(u64::from(u32::MAX));
    1 + u64::from(rng.below(ceiling as u32))
}
