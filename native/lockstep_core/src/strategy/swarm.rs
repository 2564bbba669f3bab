use super::Candidates;
use crate::clock::Micros;
use crate::rng::{Rng, Stream};

/// How rarely processes are held back in a run, drawn once a run: never, seldom, often.
const STALL_ONE_IN: [u32; 4] = [0, 128, 32, 12];
/// How many of the messages between nodes are slow, drawn once a run.
const SLOW_ONE_IN: [u32; 4] = [0, 8, 3, 1];

/// The disturbances that all random strategies have in common: stalls, latencies and faults.
///
/// How often processes are held back and messages slow is drawn anew for each seed ("swarm testing", Groce et al.,
/// ISSTA 2012): a run with many disturbances and one with none find different bugs.
#[derive(Debug)]
pub(super) struct Swarm {
    /// Who runs next, and who is held back.
    pub(super) schedule: Rng,
    network: Rng,
    faults: Rng,
    stall_one_in: u32,
    slow_one_in: u32,
}

impl Swarm {
    pub(super) fn new(seed: u64) -> Self {
        let mut schedule = Rng::new(seed, Stream::Schedule);
        let mut network = Rng::new(seed, Stream::Network);
        let stall_one_in = STALL_ONE_IN[schedule.below(STALL_ONE_IN.len() as u32) as usize];
        let slow_one_in = SLOW_ONE_IN[network.below(SLOW_ONE_IN.len() as u32) as usize];
        Swarm {
            schedule,
            network,
            faults: Rng::new(seed, Stream::Faults),
            stall_one_in,
            slow_one_in,
        }
    }

    /// Any of the candidates, each as likely as the others.
    pub(super) fn any(&mut self, candidates: &Candidates<'_>) -> usize {
        match candidates.len() {
            1 => 0,
            count => self.schedule.below(count as u32) as usize,
        }
    }

    /// Whether the candidate at `index`, which has been chosen, is held back instead, where that is possible.
    pub(super) fn holds_back(&mut self, candidates: &Candidates<'_>, choices: usize, index: usize) -> bool {
        choices > candidates.len() && candidates.get(index).process.is_some() && self.schedule.one_in(self.stall_one_in)
    }

    /// To come back just before, when or just after something else falls due is what makes the two race. Each of the
    /// deadlines is as likely, because it is not always the next that matters.
    pub(super) fn stall(&mut self, max: Micros, upcoming: &[Micros]) -> Micros {
        if upcoming.is_empty() || !self.schedule.one_in(2) {
            return scaled(&mut self.schedule, max);
        }
        let deadline = upcoming[self.schedule.below(upcoming.len() as u32) as usize];
        let around = deadline
            .saturating_add(u64::from(self.schedule.below(3)))
            .saturating_sub(1);
        around.clamp(1, max)
    }

    pub(super) fn latency(&mut self, max: Micros) -> Micros {
        if self.network.one_in(self.slow_one_in) {
            scaled(&mut self.network, max)
        } else {
            0
        }
    }

    pub(super) fn fault(&mut self, count: u64) -> u64 {
        u64::from(self.faults.below(u32::try_from(count).unwrap_or(u32::MAX)))
    }
}

/// A length up to `max` whose order of magnitude is uniform: short delays matter as often as long ones.
fn scaled(rng: &mut Rng, max: Micros) -> Micros {
    let ceiling = (max >> rng.below(8)).max(1).min(u64::from(u32::MAX));
    1 + u64::from(rng.below(ceiling as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn half_of_the_stalls_end_around_a_deadline_whichever() {
        let mut swarm = Swarm::new(1);
        let mut lengths: BTreeMap<Micros, u32> = BTreeMap::new();
        for _ in 0..9000 {
            *lengths
                .entry(swarm.stall(100_000, &[5_000, 70_000, 100_000]))
                .or_default() += 1;
        }
        for length in [4_999, 5_000, 5_001, 69_999, 70_000, 70_001, 99_999] {
            assert!((400..620).contains(&lengths[&length]), "{length}: {}", lengths[&length]);
        }
        assert!(
            (850..1250).contains(&lengths[&100_000]),
            "what would be beyond the longest is the longest"
        );
        assert!(lengths.keys().all(|&length| (1..=100_000).contains(&length)));
        let elsewhere: u32 = lengths.values().filter(|&&count| count < 400).sum();
        assert!((4200..4800).contains(&elsewhere), "{elsewhere}");
    }
}
