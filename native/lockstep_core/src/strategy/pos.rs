use super::search::{Rule, Search};
use super::standing::Standing;
use super::{Candidates, Profile};
use crate::rng::Rng;

/// Partial order sampling (Yuan, Yang, Gu, CAV 2018), events that race with nothing first.
///
/// Each event has a random priority from when it can happen, and the highest happens. Those that conflict with it get new
/// ones: otherwise one that has just lost would most likely lose again. To run first what races with nothing makes the
/// outcome of a race independent of how much its sides have to do before it.
#[derive(Debug)]
pub struct Pos(Standing);

impl Pos {
    /// The search of one seed. The profile only says how long runs are.
    pub fn search(seed: u64, profile: Option<&Profile>) -> Search<Pos> {
        Search::new(seed, profile, |_| Pos(Standing::local_first()))
    }
}

impl Rule for Pos {
    fn pick(&mut self, candidates: &Candidates<'_>, rng: &mut Rng) -> usize {
        self.0.first(candidates, rng)
    }

    fn ran(&mut self, candidates: &Candidates<'_>, index: usize, _rng: &mut Rng) {
        self.0.redraw_conflicting(candidates, index);
    }
}
