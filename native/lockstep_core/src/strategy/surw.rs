use std::collections::BTreeMap;

use super::actors::Actors;
use super::priorities::DRAWN;
use super::search::{Rule, Search};
use super::{Candidate, Candidates, Lineage, Object, Profile};
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
    /// The places of the actors in `known`.
    places: Actors<Option<usize>>,
    by_lineage: BTreeMap<Lineage, usize>,
    known: Vec<Known>,
    /// Who can act now, in the order of the candidates.
    present: Vec<Present>,
    /// Who does the next interesting event.
    intended: Option<usize>,
    /// Who was to do one and had to let others go first.
    blocked: Vec<usize>,
}

/// What is known of an actor.
#[derive(Debug)]
struct Known {
    /// How many interesting events it has still to do, with all whom it has still to bring into being.
    left: u64,
    /// That of its event; 0 is none.
    priority: u64,
    blocked: bool,
    /// What its last event acts upon, and whether that is interesting.
    object: Object,
    interesting: bool,
}

#[derive(Debug, Clone, Copy)]
struct Present {
    place: usize,
    event: Candidate,
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
            places: Actors::default(),
            by_lineage: BTreeMap::new(),
            known: Vec::new(),
            present: Vec::new(),
            intended: None,
            blocked: Vec::new(),
        }
    }

    fn concerns(&self, candidates: &Candidates<'_>, object: Object) -> bool {
        match object {
            Object::Local => false,
            Object::World => self.only.is_none(),
            object => {
                let identity = candidates.identity(object);
                self.only.is_none_or(|only| only == identity) && self.profile.contended.contains(&identity)
            }
        }
    }

    /// How many interesting events an actor has, with all whom it brings into being, if the profile knows it.
    fn weight(&self, lineage: Lineage) -> Option<u64> {
        let all = self.profile.weights.get(&lineage).copied()?;
        let share = |object| self.profile.shares.get(&(object, lineage)).copied().unwrap_or(0);
        Some(self.only.map_or(all, share))
    }

    /// Finds out who can act.
    fn meet(&mut self, candidates: &Candidates<'_>, rng: &mut Rng) {
        self.present.clear();
        for index in 0..candidates.len() {
            let actor = candidates.actor(index);
            let place = self.places.of(actor).unwrap_or_else(|| {
                let place = self.introduce(candidates, index, rng);
                *self.places.of(actor) = Some(place);
                place
            });
            let event = candidates.get(index);
            if self.known[place].object != event.object {
                self.known[place].object = event.object;
                self.known[place].interesting = self.concerns(candidates, event.object);
            }
            self.present.push(Present { place, event });
        }
    }

    /// Takes the events of an actor that is new from what its parent has still to do. An intention may go over to it, as
    /// often as its share of the events is.
    fn introduce(&mut self, candidates: &Candidates<'_>, index: usize, rng: &mut Rng) -> usize {
        let lineage = candidates.lineage(index);
        if let Some(&place) = self.by_lineage.get(&lineage) {
            return place;
        }
        let own = self.weight(lineage);
        let place = self.know(lineage, own);
        if let (Some(own), Some(parent)) = (own, candidates.parent(index)) {
            self.part(parent, place, own, rng);
        }
        place
    }

    fn know(&mut self, lineage: Lineage, weight: Option<u64>) -> usize {
        let place = self.known.len();
        self.by_lineage.insert(lineage, place);
        self.known.push(Known {
            left: weight.unwrap_or(1),
            priority: 0,
            blocked: false,
            object: Object::Local,
            interesting: false,
        });
        place
    }

    fn part(&mut self, parent: Lineage, child: usize, own: u64, rng: &mut Rng) {
        let parent = match self.by_lineage.get(&parent) {
            Some(&place) => place,
            None => self.know(parent, self.weight(parent)),
        };
        let before = &mut self.known[parent].left;
        let passes_on = self.intended == Some(parent) && below(rng, (*before).max(1)) < own;
        *before = before.saturating_sub(own);
        if passes_on {
            self.intended = Some(child);
        }
    }

    /// Draws who does the next interesting event. Whoever is about to do one has at least one to do, whatever the profile
    /// says.
    fn intend(&self, rng: &mut Rng) -> usize {
        let weight = |&Present { place, .. }: &Present| {
            let known = &self.known[place];
            known.left.max(u64::from(known.interesting))
        };
        let mut drawn = below(rng, self.present.iter().map(weight).sum());
        for present in &self.present {
            if drawn < weight(present) {
                return present.place;
            }
            drawn -= weight(present);
        }
        unreachable!("what is drawn is below the sum of the weights")
    }

    /// The place of the candidate with the highest priority, among those that are not blocked; of the interesting ones,
    /// only that which is intended counts if there is an intention.
    fn highest(&self, intended: Option<usize>) -> Option<usize> {
        let eligible = |&index: &usize| {
            let place = self.present[index].place;
            let known = &self.known[place];
            !known.blocked && (intended.is_none() || !known.interesting || intended == Some(place))
        };
        let priority = |&index: &usize| self.known[self.present[index].place].priority;
        (0..self.present.len()).filter(eligible).max_by_key(priority)
    }

    /// The highest of all, or of those that may come before what is intended if that would be an interesting one: those
    /// above it are then blocked. None if all are.
    fn choose(&mut self, rng: &mut Rng) -> Option<usize> {
        for present in &self.present {
            let known = &mut self.known[present.place];
            if known.priority == 0 && !known.blocked {
                known.priority = rng.next_u64() | DRAWN;
            }
        }
        let first = self.highest(None)?;
        if !self.known[self.present[first].place].interesting {
            return Some(first);
        }
        let intended = self.intended.unwrap_or_else(|| self.intend(rng));
        self.intended = Some(intended);
        let chosen = self.highest(Some(intended));
        let least = chosen.map_or(0, |index| self.known[self.present[index].place].priority);
        for &Present { place, .. } in &self.present {
            let known = &mut self.known[place];
            if known.interesting && place != intended && !known.blocked && known.priority > least {
                known.blocked = true;
                self.blocked.push(place);
            }
        }
        chosen
    }

    fn unblock(&mut self) {
        self.intended = None;
        for place in self.blocked.drain(..) {
            self.known[place].blocked = false;
        }
    }
}

impl Rule for Surw {
    fn pick(&mut self, candidates: &Candidates<'_>, rng: &mut Rng) -> usize {
        self.meet(candidates, rng);
        let local = |present: &Present| present.event.object == Object::Local;
        if let Some(index) = self.present.iter().position(local) {
            return index;
        }
        loop {
            if let Some(index) = self.choose(rng) {
                return index;
            }
            self.unblock();
        }
    }

    fn ran(&mut self, candidates: &Candidates<'_>, index: usize, rng: &mut Rng) {
        if candidates.len() == 1 {
            self.meet(candidates, rng);
        }
        // In the tail there are some whom this does not know.
        let Some(place) = *self.places.of(candidates.actor(index)) else {
            return;
        };
        let done = candidates.get(index);
        let interesting = match self.known[place].object == done.object {
            true => self.known[place].interesting,
            false => self.concerns(candidates, done.object),
        };
        if interesting {
            self.known[place].left = self.known[place].left.saturating_sub(1);
            if self.intended == Some(place) {
                self.unblock();
            }
        }
        self.known[place].priority = 0;
        if done.object == Object::Local {
            return;
        }
        for present in &self.present {
            if present.event.conflicts(&done) {
                self.known[present.place].priority = 0;
            }
        }
    }

    fn held_back(&mut self, candidates: &Candidates<'_>, index: usize) {
        if self.intended.is_some() && self.intended == *self.places.of(candidates.actor(index)) {
            self.unblock();
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
