//! Runs every interleaving of a program once.
//!
//! Source-DPOR with sleep sets (Abdulla, Aronis, Jonsson, Sagonas, "Optimal Dynamic Partial Order Reduction", POPL 2014).
//! It is stateless: each run begins anew, repeats the choices of the one before up to the place that is to be changed, and
//! goes on from there undisturbed. What is kept between the runs is one path through the tree of all schedules.
//!
//! After a run each pair of its events is looked for that conflicts, with nothing between them that keeps their order: a
//! race. Who has to go first for the other order to come about is tried at the place of the earlier one. Who has been
//! tried there is asleep from then on, until something happens that conflicts with what it would do: what it would lead
//! to has been seen. So no two runs that are completed are the same interleaving.
//!
//! One more kind of race comes from events that take others their turn: a kill, a timer that is stopped.

use crate::causality::{Touch, conflict};
use crate::journal::Journal;
use crate::strategy::Actor;

/// Which schedules are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// One of each interleaving.
    Interleavings,
    /// All schedules in which a process that could go on is left for another at most so often.
    Preemptions(u32),
    /// All schedules that leave the undisturbed one at most so often: it costs as much to choose an event as there are
    /// others before it.
    Delays(u32),
}

/// How many runs there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Explored {
    /// Those that came to their end.
    pub complete: u64,
    /// Those that were given up because all that they could still do had been seen.
    pub abandoned: u64,
}

/// What an explorer says to the choice that it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The event at this place.
    Go(usize),
    /// Nothing that could happen is new.
    Seen,
    /// What can happen is not what could happen here in the run before.
    Strange,
}

/// Goes through the schedules of a program, run by run.
#[derive(Debug)]
pub struct Explorer {
    bound: Bound,
    path: Vec<Node>,
    /// How many choices of the run have been made.
    place: usize,
    /// Up to here the path is that of the run before.
    known: usize,
    /// Who could still have acted when the run was given up.
    left: Vec<Actor>,
    /// Who is to act behind the known path, latest first, to get to the race that is to be turned round.
    guide: Vec<Actor>,
    /// The guide of the next run.
    way: Vec<Actor>,
    given_up: bool,
    journal: Option<Box<Journal>>,
    explored: Explored,
}

/// A choice on the path.
#[derive(Debug)]
struct Node {
    enabled: Vec<Actor>,
    actor: Actor,
    /// Who is to be tried, or has been.
    backtrack: Vec<Actor>,
    /// And who is to act then, latest first.
    guides: Vec<Vec<Actor>>,
    asleep: Vec<Sleeper>,
    /// The events that come before the one that was chosen.
    before: Bits,
    /// What the choices up to here have cost, this one not included.
    cost: u32,
}

/// Somebody who has been tried, and what it did.
#[derive(Debug, Clone)]
struct Sleeper {
    actor: Actor,
    touches: Box<[Touch]>,
}

impl Node {
    fn sleeps(&self, actor: Actor) -> bool {
        self.asleep.iter().any(|sleeper| sleeper.actor == actor)
    }

    /// Whether somebody has been tried, or will be.
    fn knows(&self, actor: Actor) -> bool {
        self.backtrack.contains(&actor) || self.sleeps(actor)
    }
}

impl Explorer {
    /// One that has not run anything yet.
    pub fn new(bound: Bound) -> Self {
        Explorer {
            bound,
            path: Vec::new(),
            place: 0,
            known: 0,
            left: Vec::new(),
            guide: Vec::new(),
            way: Vec::new(),
            given_up: false,
            journal: Some(Box::default()),
            explored: Explored::default(),
        }
    }

    /// How many runs there were.
    pub fn explored(&self) -> Explored {
        self.explored
    }

    /// A run begins: the next one, or the last one again if [`advance`](Explorer::advance) has not been called since.
    pub(crate) fn start(&mut self) -> Box<Journal> {
        self.place = 0;
        self.guide.clone_from(&self.way);
        self.given_up = false;
        self.left.clear();
        let mut journal = self.journal.take().unwrap_or_default();
        journal.clear();
        journal
    }

    /// The run is over.
    pub(crate) fn stop(&mut self, journal: Box<Journal>) {
        self.journal = Some(journal);
    }

    /// Who acts next. The journal ends with the event before.
    pub(crate) fn choose(&mut self, enabled: &[Actor], journal: &Journal) -> Choice {
        let place = self.place;
        if place == self.path.len() && !self.extend(enabled, journal) {
            self.given_up = true;
            self.left.extend_from_slice(enabled);
            return Choice::Seen;
        }
        let node = &self.path[place];
        if node.enabled != enabled {
            return Choice::Strange;
        }
        self.place += 1;
        match enabled.iter().position(|&actor| actor == node.actor) {
            Some(index) => Choice::Go(index),
            None => Choice::Strange,
        }
    }

    /// A choice that no run before has come to; false if nobody is left who would do anything new.
    fn extend(&mut self, enabled: &[Actor], journal: &Journal) -> bool {
        let asleep = self.sleepers(journal);
        let awake = |actor: &&Actor| asleep.iter().all(|sleeper| sleeper.actor != **actor);
        let guided = self
            .guide
            .pop()
            .filter(|actor| enabled.contains(actor) && awake(&actor));
        let first = match self.bound {
            Bound::Preemptions(_) => self.going_on(enabled).or(enabled.first().copied()),
            Bound::Interleavings | Bound::Delays(_) => guided.or_else(|| enabled.iter().find(awake).copied()),
        };
        let Some(actor) = first else { return false };
        self.path.push(Node {
            enabled: enabled.to_vec(),
            actor,
            backtrack: vec![actor],
            guides: vec![Vec::new()],
            cost: self.spent(),
            asleep,
            before: Bits::default(),
        });
        true
    }

    /// Who stays asleep after the last event.
    fn sleepers(&self, journal: &Journal) -> Vec<Sleeper> {
        let Some(last) = self.path.last() else {
            return Vec::new();
        };
        let touches = journal.touches(self.path.len() - 1);
        let stays = |sleeper: &&Sleeper| !conflict(&sleeper.touches, touches);
        last.asleep.iter().filter(stays).cloned().collect()
    }

    /// The process that has acted last, if it could act again.
    fn going_on(&self, enabled: &[Actor]) -> Option<Actor> {
        let last = self.path.last()?.actor;
        (matches!(last, Actor::Process(_)) && enabled.contains(&last)).then_some(last)
    }

    /// What the choices so far have cost.
    fn spent(&self) -> u32 {
        let Some((last, before)) = self.path.split_last() else {
            return 0;
        };
        last.cost + self.price(before.last(), last, last.actor)
    }

    /// What it costs to choose an actor at `node`, which comes after `before`.
    fn price(&self, before: Option<&Node>, node: &Node, actor: Actor) -> u32 {
        match self.bound {
            Bound::Interleavings => 0,
            Bound::Delays(_) => node.enabled.iter().position(|&other| other == actor).unwrap_or(0) as u32,
            Bound::Preemptions(_) => {
                let last = before.map(|node| node.actor);
                let goes_on = last.filter(|last| matches!(last, Actor::Process(_)) && node.enabled.contains(last));
                u32::from(goes_on.is_some_and(|last| last != actor))
            }
        }
    }

    /// What can be learned from the run that is over, and whether there is another.
    pub fn advance(&mut self) -> bool {
        if self.given_up {
            self.explored.abandoned += 1;
        } else {
            self.explored.complete += 1;
        }
        let Some(journal) = self.journal.take() else {
            return false;
        };
        // A run may have ended in the middle of the path: then nothing is known of what lies behind.
        self.path.truncate(journal.len().min(self.place));
        if self.bound == Bound::Interleavings {
            self.find_races(&journal);
            self.find_losers();
        }
        let more = self.step_back(&journal);
        self.journal = Some(journal);
        more
    }

    /// The next path: who else is to be tried at the last place where somebody is.
    fn step_back(&mut self, journal: &Journal) -> bool {
        while let Some(mut node) = self.path.pop() {
            let next = match self.bound {
                Bound::Interleavings => {
                    node.asleep.push(Sleeper {
                        actor: node.actor,
                        touches: journal.touches(self.path.len()).into(),
                    });
                    let next = node.backtrack.iter().position(|&actor| !node.sleeps(actor));
                    next.map(|index| {
                        self.way = std::mem::take(&mut node.guides[index]);
                        node.backtrack[index]
                    })
                }
                Bound::Preemptions(most) | Bound::Delays(most) => self.affordable(&mut node, most),
            };
            if let Some(actor) = next {
                node.actor = actor;
                self.known = self.path.len();
                self.path.push(node);
                return true;
            }
        }
        false
    }

    /// Somebody who has not been tried yet, and does not cost too much.
    fn affordable(&self, node: &mut Node, most: u32) -> Option<Actor> {
        let before = self.path.last();
        let fits =
            |actor: &&Actor| !node.backtrack.contains(actor) && node.cost + self.price(before, node, **actor) <= most;
        let next = node.enabled.iter().find(fits).copied()?;
        node.backtrack.push(next);
        Some(next)
    }

    /// Finds the races of all events that are new.
    fn find_races(&mut self, journal: &Journal) {
        let mut races = Vec::new();
        for step in self.known..self.path.len() {
            races.clear();
            self.path[step].before = self.order(journal, step, &mut races);
            for &race in &races {
                self.reverse(race, step);
            }
        }
    }

    /// The events that come before this one, and those of them that race with it.
    fn order(&self, journal: &Journal, step: usize, races: &mut Vec<usize>) -> Bits {
        let era = journal.era(step);
        let mut before = Bits::up_to(era);
        for &cause in journal.causes(step) {
            before.join(&self.path[cause as usize].before, cause as usize);
        }
        let touches = journal.touches(step);
        for other in (era..step).rev() {
            if !before.has(other) && conflict(journal.touches(other), touches) {
                races.push(other);
                before.join(&self.path[other].before, other);
            }
        }
        before
    }

    /// Sees to it that a run is made in which the second event of a race comes before the first.
    fn reverse(&mut self, first: usize, second: usize) {
        let initials = self.initials(first, Some(second));
        if let Some(actor) = self.try_one(first, &initials) {
            let guide = self.guide_to(first, second, actor);
            self.path[first].guides.extend([guide]);
        }
    }

    /// Who can begin with what has happened after an event without it, and then, if given, with what raced with it.
    fn initials(&self, first: usize, second: Option<usize>) -> Vec<Actor> {
        let node = &self.path[first];
        let mut between = Bits::default();
        let mut initials = Vec::new();
        for step in first + 1..second.map_or(self.path.len(), |second| second + 1) {
            let Node { before, actor, .. } = &self.path[step];
            if Some(step) != second && before.has(first) {
                continue;
            }
            if !before.meets(&between) && node.enabled.contains(actor) {
                initials.push(*actor);
            }
            between.add(step);
        }
        initials
    }

    /// What has to happen after `actor` has begun, for the second event to come before the first.
    fn guide_to(&self, first: usize, second: usize, actor: Actor) -> Vec<Actor> {
        let between = (first + 1..=second).filter(|&step| step == second || !self.path[step].before.has(first));
        let mut guide: Vec<Actor> = between.map(|step| self.path[step].actor).collect();
        if let Some(begun) = guide.iter().position(|&other| other == actor) {
            guide.remove(begun);
        }
        guide.reverse();
        guide
    }

    /// Unless one of them has been tried or will be, tries the first.
    fn try_one(&mut self, place: usize, actors: &[Actor]) -> Option<Actor> {
        let node = &mut self.path[place];
        if actors.iter().any(|&actor| node.knows(actor)) {
            return None;
        }
        let actor = *actors.first()?;
        node.backtrack.push(actor);
        Some(actor)
    }

    /// Who could have acted at a place, and could no longer after what happened there, is to act first. What it would have
    /// done need not be independent of what has happened since without that event, and so may have to come after it.
    fn find_losers(&mut self) {
        for place in self.known..self.path.len() {
            let behind = self.path.get(place + 1);
            let still = behind.map_or(self.left.as_slice(), |node| node.enabled.as_slice());
            let node = &self.path[place];
            let lost = |actor: &&Actor| **actor != node.actor && !still.contains(*actor);
            let losers: Vec<Actor> = node.enabled.iter().filter(lost).copied().collect();
            if losers.is_empty() {
                continue;
            }
            let others = self.initials(place, None);
            let others = self.try_one(place, &others);
            let losers = losers.into_iter().filter_map(|loser| self.try_one(place, &[loser]));
            let tried = losers.count() + others.iter().count();
            self.path[place].guides.extend(vec![Vec::new(); tried]);
        }
    }
}

/// A set of events, by their places.
#[derive(Debug, Clone, Default)]
struct Bits(Vec<u64>);

impl Bits {
    fn up_to(end: usize) -> Self {
        let mut bits = vec![u64::MAX; end / 64];
        if end % 64 > 0 {
            bits.push((1 << (end % 64)) - 1);
        }
        Bits(bits)
    }

    fn has(&self, place: usize) -> bool {
        self.0
            .get(place / 64)
            .is_some_and(|word| (word >> (place % 64)) & 1 == 1)
    }

    fn add(&mut self, place: usize) {
        if self.0.len() <= place / 64 {
            self.0.resize(place / 64 + 1, 0);
        }
        self.0[place / 64] |= 1 << (place % 64);
    }

    /// Adds an event and all that come before it.
    fn join(&mut self, others: &Bits, place: usize) {
        if self.0.len() < others.0.len() {
            self.0.resize(others.0.len(), 0);
        }
        for (word, other) in self.0.iter_mut().zip(&others.0) {
            *word |= other;
        }
        self.add(place);
    }

    fn meets(&self, others: &Bits) -> bool {
        self.0.iter().zip(&others.0).any(|(one, other)| one & other != 0)
    }
}
