use std::collections::BTreeMap;

use super::actors::Actors;
use super::search::{Rule, Search};
use super::standing::Standing;
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
    /// The places of the actors in `known`.
    places: Actors<Option<usize>>,
    by_lineage: BTreeMap<Lineage, usize>,
    known: Vec<Known>,
    /// Who can act now, in the order of the priorities; those who are blocked are barred.
    standing: Standing,
    /// What is known of the events, by slot.
    events: Vec<Event>,
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
    blocked: bool,
    /// Where its last event is, or was.
    slot: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Event {
    /// That of its actor.
    place: usize,
    interesting: bool,
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
            standing: Standing::local_first(),
            events: Vec::new(),
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
        self.standing.refresh(candidates);
        for number in 0..self.standing.news().len() {
            let slot = self.standing.news()[number];
            let Some((actor, event)) = self.standing.event(slot) else {
                continue;
            };
            let place = self.places.of(actor).unwrap_or_else(|| {
                let place = self.introduce(candidates, slot, rng);
                *self.places.of(actor) = Some(place);
                place
            });
            let interesting = self.concerns(candidates, event.object);
            self.events
                .resize(self.events.len().max(slot as usize + 1), Event::default());
            self.events[slot as usize] = Event { place, interesting };
            self.known[place].slot = slot;
            if self.known[place].blocked {
                self.standing.bar(slot);
            }
        }
    }

    /// Takes the events of an actor that is new from what its parent has still to do. An intention may go over to it, as
    /// often as its share of the events is.
    fn introduce(&mut self, candidates: &Candidates<'_>, slot: u32, rng: &mut Rng) -> usize {
        let index = candidates.index(slot).unwrap_or(0);
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
            blocked: false,
            slot: 0,
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
    fn intend(&self, candidates: &Candidates<'_>, rng: &mut Rng) -> usize {
        let event = |index| self.events[candidates.slot(index) as usize];
        let weight = |event: Event| self.known[event.place].left.max(u64::from(event.interesting));
        let all = || (0..candidates.len()).map(event);
        let mut drawn = below(rng, all().map(weight).sum());
        for event in all() {
            if drawn < weight(event) {
                return event.place;
            }
            drawn -= weight(event);
        }
        unreachable!("what is drawn is below the sum of the weights")
    }

    /// The slot of the highest event, except that an interesting one must be what is intended: those above it that are
    /// not are blocked. None if all are.
    fn choose(&mut self, candidates: &Candidates<'_>, rng: &mut Rng) -> Option<u32> {
        self.standing.draw(rng);
        while let Some(slot) = self.standing.highest() {
            let Event { place, interesting } = self.events[slot as usize];
            if !interesting {
                return Some(slot);
            }
            let intended = self.intended.unwrap_or_else(|| self.intend(candidates, rng));
            self.intended = Some(intended);
            if place == intended {
                return Some(slot);
            }
            self.known[place].blocked = true;
            self.blocked.push(place);
            self.standing.bar(slot);
        }
        None
    }

    fn unblock(&mut self) {
        self.intended = None;
        for place in std::mem::take(&mut self.blocked) {
            let known = &mut self.known[place];
            known.blocked = false;
            // Somebody else may be there now.
            if self.events[known.slot as usize].place == place {
                self.standing.admit(known.slot);
            }
        }
    }
}

impl Rule for Surw {
    fn pick(&mut self, candidates: &Candidates<'_>, rng: &mut Rng) -> usize {
        self.meet(candidates, rng);
        let local = self.standing.first_local();
        let slot = local.or_else(|| self.choose(candidates, rng)).or_else(|| {
            self.unblock();
            self.choose(candidates, rng)
        });
        slot.and_then(|slot| candidates.index(slot)).unwrap_or(0)
    }

    fn ran(&mut self, candidates: &Candidates<'_>, index: usize, rng: &mut Rng) {
        if candidates.len() == 1 {
            self.meet(candidates, rng);
        }
        // In the tail there are some whom this does not know.
        if let Some(&Event {
            place,
            interesting: true,
        }) = self.events.get(candidates.slot(index) as usize)
        {
            self.known[place].left = self.known[place].left.saturating_sub(1);
            if self.intended == Some(place) {
                self.unblock();
            }
        }
        self.standing.redraw_conflicting(candidates, index);
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
