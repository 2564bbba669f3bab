use std::collections::BTreeSet;

use super::search::{Rule, Search};
use super::standing::Standing;
use super::{Candidates, Profile};
use crate::rng::Rng;

/// How many choices a run is taken to have without a profile.
const CHOICES: u64 = 100;

/// Probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi, Nagarakatte, ASPLOS 2010).
///
/// Each actor has a random priority, and the highest runs; at `depth - 1` points of the run the one that has just run
/// falls below all others. What is fixed differs from the paper in three ways. New actors come in at a random rank, since
/// nobody knows beforehand how many there will be. The points are distinct, and counted over the steps at which there is
/// a choice. They are drawn from 1 to k, the number of events of the undisturbed run that could have come together with
/// another. With that k the chance of a bug of depth d among n actors is at least 1 / (n k (k - 1) ... (k - d + 2)), which
/// is not less than the paper's 1 / (n k^(d - 1)): d - 1 different points in one order are one of so many.
#[derive(Debug)]
pub struct Pct {
    standing: Standing,
    /// After which choice who has run falls to which priority.
    points: Vec<(u64, u64)>,
    choices: u64,
}

impl Pct {
    /// The search of one seed, for bugs that take `depth` orders between events.
    pub fn search(seed: u64, depth: u32, profile: Option<&Profile>) -> Search<Pct> {
        let choices = profile.map_or(CHOICES, |profile| profile.choices);
        Search::new(seed, profile, |rng| Pct::new(depth, choices, rng))
    }

    fn new(depth: u32, choices: u64, rng: &mut Rng) -> Self {
        let points = distinct(depth.saturating_sub(1), choices, rng);
        Pct {
            standing: Standing::default(),
            points: points.into_iter().zip(1..).collect(),
            choices: 0,
        }
    }
}

impl Rule for Pct {
    fn pick(&mut self, candidates: &Candidates<'_>, rng: &mut Rng) -> usize {
        self.standing.first(candidates, rng)
    }

    fn ran(&mut self, candidates: &Candidates<'_>, index: usize, _rng: &mut Rng) {
        if candidates.len() == 1 {
            return;
        }
        self.choices += 1;
        if let Some(&(_, low)) = self.points.iter().find(|&&(point, _)| point == self.choices) {
            self.standing.set(candidates.actor(index), low);
        }
    }
}

/// So many different numbers from 1 to `last`, or all, in random order.
pub(super) fn distinct(count: u32, last: u64, rng: &mut Rng) -> Vec<u64> {
    let last = u32::try_from(last).unwrap_or(u32::MAX - 1);
    let mut chosen = BTreeSet::new();
    // Robert Floyd's algorithm: uniform over all sets of that size (Communications of the ACM 30:9, 1987).
    for top in last - count.min(last) + 1..=last {
        let drawn = 1 + rng.below(top);
        if !chosen.insert(drawn) {
            chosen.insert(top);
        }
    }
    let mut points: Vec<_> = chosen.into_iter().map(u64::from).collect();
    for end in (1..points.len()).rev() {
        points.swap(end, rng.below(end as u32 + 1) as usize);
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use std::collections::BTreeMap;

    #[test]
    fn points_are_different_and_every_order_of_every_set_is_as_likely() {
        let mut rng = Rng::new(1, Stream::Schedule);
        let mut drawn: BTreeMap<Vec<u64>, u32> = BTreeMap::new();
        for _ in 0..12_000 {
            *drawn.entry(distinct(2, 4, &mut rng)).or_default() += 1;
        }
        assert_eq!(drawn.len(), 12);
        assert!(drawn.values().all(|count| (850..1150).contains(count)), "{drawn:?}");
    }

    #[test]
    fn there_are_no_more_points_than_choices() {
        let mut rng = Rng::new(1, Stream::Schedule);
        assert_eq!(distinct(5, 0, &mut rng), []);
        assert_eq!(distinct(5, 1, &mut rng), [1]);
        assert_eq!(distinct(0, 9, &mut rng), []);
        assert_eq!(distinct(u32::MAX, 3, &mut rng).len(), 3);
    }
}
