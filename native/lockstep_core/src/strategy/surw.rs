use std::collections::{BTreeMap, BTreeSet};

use super::priorities::{Priorities, first_local};
use super::search::{Rule, Search};
use super::{Candidates, Lineage, Object, Profile};
use crate::rng::Rng;

/// Selectively uniform random walk (Zhao, Wolff, Mathur, Roychoudhury, ASPLOS 2025).
///
/// The interleavings of the interesting events are sampled uniformly, whatever else the actors do in between. Who is to
/// do the next interesting one is drawn first, with the number that it still has to do as its weight (together with those
/// whom it has still to start); until that has happened, nobody else does an interesting one. Interesting is what is done
/// to objects that the profile saw more than one actor contend for, and what conflicts with everything: to all of these in
/// one half of the runs, and in the other to a single one, whose orders are then not lost among those of the rest. All
/// other events are ordered as [`Pos`](super::Pos) does it, so that without a profile nothing else is left.
#[derive(Debug)]
pub struct Surw {
    profile: Profile,
    /// The one object whose events are interesting, if not those of all contended ones.
    only: Option<Lineage>,
    priorities: Priorities,
    interesting: BTreeMap<Object, bool>,
    /// How many interesting events each actor has still to do, with all whom it has still to bring into being.
    left: BTreeMap<Lineage, u64>,
    /// Who does the next interesting event.
    intended: Option<Lineage>,
    /// Who was to do one and had to let others go first.
    blocked: BTreeSet<Lineage>,
}

impl Surw {
    /// The search of one seed.
    pub fn search(seed: u64, profile: Option<&Profile>) -> Search<Surw> {
        Search::new(seed, profile, |rng| {
            Surw::new(profile.cloned().unwrap_or_default(), rng)
        })
    }

    fn new(profile: Profile, rng: &mut Rng) -> Self {
        let objects = u32::try_from(profile.contended.len()).unwrap_or(u32::MAX);
        let one = (objects > 1 && rng.one_in(2)).then(|| rng.below(objects) as usize);
        Surw {
            only: one.and_then(|place| profile.contended.iter().nth(place).copied()),
            profile,
            priorities: Priorities::default(),
            interesting: BTreeMap::new(),
            left: BTreeMap::new(),
            intended: None,
            blocked: BTreeSet::new(),
        }
    }

    fn is_interesting(&mut self, candidates: &Candidates<'_>, index: usize) -> bool {
        let object = candidates.get(index).object;
        let (only, profile) = (self.only, &self.profile);
        *self.interesting.entry(object).or_insert_with(|| match object {
            Object::Local => false,
            Object::World => only.is_none(),
            object => {
                let identity = candidates.identity(object);
                only.is_none_or(|only| only == identity) && profile.contended.contains(&identity)
            }
        })
    }

    /// How many interesting events an actor has, with all whom it brings into being, if the profile knows it.
    fn weight(&self, lineage: Lineage) -> Option<u64> {
        let all = self.profile.weights.get(&lineage).copied()?;
        let share = |object| self.profile.shares.get(&(object, lineage)).copied().unwrap_or(0);
        Some(self.only.map_or(all, share))
    }

    /// Takes the events of actors that are new from what their parents have still to do. An intention may go over to a
    /// new actor, as often as its share of the events is.
    fn meet(&mut self, candidates: &Candidates<'_>, rng: &mut Rng) {
        for index in 0..candidates.len() {
            let lineage = candidates.lineage(index);
            if self.left.contains_key(&lineage) {
                continue;
            }
            let own = self.weight(lineage);
            self.left.insert(lineage, own.unwrap_or(1));
            if let (Some(own), Some(parent)) = (own, candidates.parent(index)) {
                self.part(parent, lineage, own, rng);
            }
        }
    }

    fn part(&mut self, parent: Lineage, child: Lineage, own: u64, rng: &mut Rng) {
        let of_parent = self.weight(parent).unwrap_or(1);
        let before = self.left.entry(parent).or_insert(of_parent);
        let passes_on = self.intended == Some(parent) && below(rng, (*before).max(1)) < own;
        *before = before.saturating_sub(own);
        if passes_on {
            self.intended = Some(child);
        }
    }

    /// Draws who does the next interesting event. Whoever is about to do one has at least one to do, whatever the profile
    /// says.
    fn intend(&mut self, candidates: &Candidates<'_>, rng: &mut Rng) -> Lineage {
        let weights: Vec<_> = (0..candidates.len())
            .map(|index| {
                let lineage = candidates.lineage(index);
                let left = self.left.get(&lineage).copied().unwrap_or(1);
                (lineage, left.max(u64::from(self.is_interesting(candidates, index))))
            })
            .collect();
        let mut drawn = below(rng, weights.iter().map(|(_, weight)| weight).sum());
        for &(lineage, weight) in &weights {
            if drawn < weight {
                return lineage;
            }
            drawn -= weight;
        }
        unreachable!("what is drawn is below the sum of the weights")
    }
}

impl Rule for Surw {
    fn pick(&mut self, candidates: &Candidates<'_>, rng: &mut Rng) -> usize {
        self.meet(candidates, rng);
        if let Some(local) = first_local(candidates) {
            return local;
        }
        loop {
            let blocked = &self.blocked;
            let free = |index: usize| !blocked.contains(&candidates.lineage(index));
            let Some(index) = self.priorities.highest(candidates, rng, free) else {
                self.blocked.clear();
                self.intended = None;
                continue;
            };
            if !self.is_interesting(candidates, index) {
                return index;
            }
            let lineage = candidates.lineage(index);
            if self.intended.is_none() {
                self.intended = Some(self.intend(candidates, rng));
            }
            if self.intended == Some(lineage) {
                return index;
            }
            self.blocked.insert(lineage);
        }
    }

    fn ran(&mut self, candidates: &Candidates<'_>, index: usize, rng: &mut Rng) {
        if candidates.len() == 1 {
            self.meet(candidates, rng);
        }
        let lineage = candidates.lineage(index);
        if self.is_interesting(candidates, index) {
            if let Some(left) = self.left.get_mut(&lineage) {
                *left = left.saturating_sub(1);
            }
            if self.intended == Some(lineage) {
                self.intended = None;
                self.blocked.clear();
            }
        }
        self.priorities.redraw_conflicting(candidates, index);
    }

    fn held_back(&mut self, candidates: &Candidates<'_>, index: usize) {
        if self.intended == Some(candidates.lineage(index)) {
            self.intended = None;
            self.blocked.clear();
        }
    }
}

/// A number below `bound`, which must not be 0.
fn below(rng: &mut Rng, bound: u64) -> u64 {
    match u32::try_from(bound) {
        Ok(bound) => u64::from(rng.below(bound)),
        Err(_) => rng.next_u64() % bound,
    }
}
