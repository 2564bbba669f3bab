use super::swarm::Swarm;
use super::{Candidates, Profile, Strategy};
use crate::clock::Micros;
use crate::rng::Rng;

/// Without a profile, after how many choices a run is taken to go in circles.
const LIMIT: u64 = 10_000;
/// With one: so many, or so many times the events of the undisturbed run if that is more.
const LEAST_LIMIT: u64 = 2_000;
const TIMES: u64 = 8;

/// Which of the enabled events comes next: what a strategy by priorities is about.
pub trait Rule: std::fmt::Debug + Send {
    fn pick(&mut self, candidates: &Candidates<'_>, rng: &mut Rng) -> usize;

    /// The candidate at `index` happens, whether or not there was a choice.
    fn ran(&mut self, candidates: &Candidates<'_>, index: usize, rng: &mut Rng);

    /// The candidate at `index`, which was picked, is held back.
    fn held_back(&mut self, candidates: &Candidates<'_>, index: usize) {
        let _ = (candidates, index);
    }
}

/// A search by a rule, with the disturbances that all random strategies share and a fair tail.
///
/// Rules by priorities can starve a process for ever, say one that another polls for. So after a number of choices that
/// ordinary runs do not come near, the rest of the run is a random walk.
#[derive(Debug)]
pub struct Search<R> {
    rule: R,
    swarm: Swarm,
    /// How many choices the rule has still to make.
    left: u64,
}

impl<R: Rule> Search<R> {
    /// The search of one seed.
    pub(super) fn new(seed: u64, profile: Option<&Profile>, rule: impl FnOnce(&mut Rng) -> R) -> Self {
        let mut swarm = Swarm::purposeful(seed);
        let limit = |profile: &Profile| profile.steps.saturating_mul(TIMES).max(LEAST_LIMIT);
        Search {
            rule: rule(&mut swarm.schedule),
            swarm,
            left: profile.map_or(LIMIT, limit),
        }
    }

    fn pick(&mut self, candidates: &Candidates<'_>) -> usize {
        if candidates.len() == 1 {
            return 0;
        }
        if self.left == 0 {
            return self.swarm.any(candidates);
        }
        self.left -= 1;
        self.rule.pick(candidates, &mut self.swarm.schedule)
    }
}

impl<R: Rule> Strategy for Search<R> {
    fn schedule(&mut self, candidates: &Candidates<'_>, choices: usize) -> usize {
        let index = self.pick(candidates);
        if self.swarm.holds_back(candidates, choices, index) {
            self.rule.held_back(candidates, index);
            return candidates.len() + index;
        }
        self.rule.ran(candidates, index, &mut self.swarm.schedule);
        index
    }

    fn forced(&mut self, candidates: &Candidates<'_>) {
        self.rule.ran(candidates, 0, &mut self.swarm.schedule);
    }

    fn stall(&mut self, max: Micros, upcoming: &[Micros]) -> Micros {
        self.swarm.stall(max, upcoming)
    }

    fn latency(&mut self, max: Micros) -> Micros {
        self.swarm.latency(max)
    }

    fn fault(&mut self, count: u64) -> u64 {
        self.swarm.fault(count)
    }
}
