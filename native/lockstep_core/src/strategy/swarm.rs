use super::Candidates;
use crate::clock::Micros;
use crate::rng::{Rng, Stream};

/// How rarely processes are held back in a run, drawn once a run: never, seldom, often.
const STALL_ONE_IN: [u32; 4] = [0, 128, 32, 12];
/// How many of the messages between nodes are slow, drawn once a run.
const SLOW_ONE_IN: [u32; 4] = [0, 8, 3, 1];

/// How rarely those that can be are held back in runs that do it with purpose, drawn once a run, and how often in all, so
/// that a long run does not get too slow for the times that it waits.
const PURPOSEFUL_ONE_IN: [u32; 3] = [2, 5, 20];
const PURPOSEFUL_STALLS: u32 = 50;
/// How rarely all others are held back in such runs. Without that, whoever polls for one who is held back would poll for
/// ever: only when nobody can go on does time pass by itself.
const OTHERS_ONE_IN: u32 = 128;
/// In runs with victims, how many of the actors are.
const VICTIM_ONE_IN: u64 = 4;

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
    stalls: Stalls,
    slow_one_in: u32,
    purposeful: bool,
}

/// Who is held back in a run.
#[derive(Debug, Clone, Copy)]
enum Stalls {
    /// Anybody, once in so many choices; 0 is never.
    Anytime { one_in: u32 },
    /// Anybody, but only while something falls due soon that they can come too late for.
    InTime { one_in: u32, left: u32 },
    /// Some and no others, so that one side of a race is late again and again: as the starvation windows of rr's chaos
    /// mode.
    Victims { salt: u64, one_in: u32, left: u32 },
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
            stalls: Stalls::Anytime { one_in: stall_one_in },
            slow_one_in,
            purposeful: false,
        }
    }

    /// As [`Swarm::new`], but in three of four runs processes are held back with more purpose, and of the slow messages
    /// more are very slow.
    pub(super) fn purposeful(seed: u64) -> Self {
        let mut swarm = Swarm {
            purposeful: true,
            ..Swarm::new(seed)
        };
        let rng = &mut swarm.schedule;
        let kind = rng.below(8);
        let one_in = PURPOSEFUL_ONE_IN[rng.below(PURPOSEFUL_ONE_IN.len() as u32) as usize];
        let (salt, left) = (rng.next_u64(), PURPOSEFUL_STALLS);
        match kind {
            0..2 => swarm.stalls = Stalls::Victims { salt, one_in, left },
            2..6 => swarm.stalls = Stalls::InTime { one_in, left },
            _ => {}
        }
        swarm
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
        if choices == candidates.len() || candidates.get(index).process.is_none() {
            return false;
        }
        let rng = &mut self.schedule;
        let (one_in, left) = match &mut self.stalls {
            Stalls::Anytime { one_in } => return rng.one_in(*one_in),
            Stalls::InTime { one_in, left } if candidates.due_soon() => (*one_in, left),
            Stalls::Victims { salt, one_in, left } if candidates.lineage(index).then(*salt).0 % VICTIM_ONE_IN == 0 => {
                (*one_in, left)
            }
            _ => return rng.one_in(OTHERS_ONE_IN),
        };
        let held_back = rng.one_in(if *left > 0 { one_in } else { OTHERS_ONE_IN });
        *left = left.saturating_sub(u32::from(held_back));
        held_back
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
        if !self.network.one_in(self.slow_one_in) {
            return 0;
        }
        if self.purposeful && self.network.one_in(2) {
            return u64::from(self.network.below(u32::try_from(max).unwrap_or(u32::MAX - 1) + 1));
        }
        scaled(&mut self.network, max)
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
    use crate::ids::ProcessId;
    use crate::strategy::{Actor, Candidate, CandidateView, Lineage, Object};
    use std::collections::BTreeMap;

    /// Ten processes.
    #[derive(Debug)]
    struct Ten;

    impl CandidateView for Ten {
        fn candidate(&self, index: usize) -> Candidate {
            Candidate {
                process: Some(ProcessId(index as u32)),
                object: Object::Local,
                write: false,
            }
        }

        fn actor(&self, index: usize) -> Actor {
            Actor::Process(ProcessId(index as u32))
        }

        fn lineage(&self, index: usize) -> Lineage {
            Lineage(0).then(index as u64)
        }

        fn parent(&self, _index: usize) -> Option<Lineage> {
            None
        }

        fn identity(&self, _object: Object) -> Lineage {
            Lineage(0)
        }
    }

    /// How often each is held back when each has a thousand choices.
    fn held_back(seed: u64, due_soon: bool) -> Vec<u32> {
        let mut swarm = Swarm::purposeful(seed);
        let candidates = Candidates::new(&Ten, 10, due_soon);
        let mut counts = vec![0; 10];
        for index in (0..10).cycle().take(10_000) {
            counts[index] += u32::from(swarm.holds_back(&candidates, 20, index));
        }
        counts
    }

    /// All are held back once in 128 choices, 78 times in all, and some besides.
    #[test]
    fn half_of_the_runs_hold_back_in_time_and_a_quarter_has_victims() {
        let (mut in_time, mut victims) = (0, 0);
        for seed in 0..400 {
            let [idle, busy] = [false, true].map(|due_soon| held_back(seed, due_soon));
            let more = |counts: &[u32]| counts.iter().sum::<u32>() > 100;
            in_time += u32::from(!more(&idle) && more(&busy));
            // One that has a rate of its own, or several, and others that have not. None of ten is one with 0.06.
            let apart =
                |counts: &[u32]| counts.iter().any(|&count| count > 22) && counts.iter().any(|&count| count < 16);
            victims += u32::from(more(&idle) && apart(&idle) && idle == busy);
        }
        assert!((165..235).contains(&in_time), "{in_time}");
        assert!((45..115).contains(&victims), "{victims}");
    }

    #[test]
    fn in_runs_with_stalls_anybody_is_held_back_at_some_time() {
        for seed in 0..100 {
            let counts = held_back(seed, true);
            let never = counts.iter().all(|&count| count == 0);
            assert!(
                never || counts.iter().all(|&count| count > 0),
                "seed {seed}: {counts:?}"
            );
        }
    }

    #[test]
    fn nobody_is_held_back_where_that_is_no_choice() {
        let candidates = Candidates::new(&Ten, 10, true);
        let held_back = |seed| Swarm::purposeful(seed).holds_back(&candidates, 10, 3);
        assert!(!(0..500).any(held_back));
    }

    #[test]
    fn slow_messages_of_a_search_are_often_very_slow() {
        let late = |mut swarm: Swarm| (0..1_000).filter(|_| swarm.latency(1_000) > 500).count();
        let all = |swarm: fn(u64) -> Swarm| (0..40).map(swarm).map(late).sum::<usize>();
        let (walk, search) = (all(Swarm::new), all(Swarm::purposeful));
        assert!(search > 3 * walk && walk > 0, "{search}, {walk}");
    }

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
