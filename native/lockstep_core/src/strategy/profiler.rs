use std::collections::{BTreeMap, BTreeSet};

use super::actors::Actors;
use super::{Actor, Candidate, Candidates, Lineage, Object, Profile, Strategy};
use crate::clock::Micros;
use crate::ids::ProcessId;

/// From so many actors on, what happens before what is no longer kept: everything counts as concurrent.
const MOST_ACTORS: usize = 1000;

/// The undisturbed schedule, watched: it finds out which events conflict with others and could have come in another order.
///
/// Two events of different actors could if neither has led to the other. An event leads to the next of its actor, and to
/// those that can happen since it has: the first step of a process that was started, the step of one that waited for the
/// message; and whatever was done to a process leads to what it does after it has looked into its mailbox. This is kept in
/// vector clocks (Mattern 1989).
#[derive(Debug, Default)]
pub struct Profiler {
    numbers: Actors<Option<usize>>,
    actors: Vec<Known>,
    /// How many events each has had.
    done: Vec<u32>,
    lineages: BTreeMap<Lineage, usize>,
    /// What has led to what each process has in its mailbox.
    mail: BTreeMap<ProcessId, Vec<u32>>,
    /// Whether its event can happen, by actor.
    pending: Vec<bool>,
    /// Whose event is in which slot.
    slots: Vec<Option<usize>>,
    /// How many changes of these it has heard of.
    heard: u64,
    last: Option<usize>,
    steps: u64,
    /// The last events of each actor on each object, those that changed it apart from those that did not.
    accesses: BTreeMap<(Object, usize, bool), u32>,
    identities: BTreeMap<Object, Lineage>,
    contended: BTreeSet<Lineage>,
    /// How often each actor acted upon each object, by what that is in every schedule.
    counts: BTreeMap<(usize, Lineage), u64>,
    /// What is part of everything.
    everything: Option<Lineage>,
}

#[derive(Debug)]
struct Known {
    lineage: Lineage,
    parent: Option<Lineage>,
    /// How many events of each actor have led to its last one, its own included.
    clock: Vec<u32>,
    /// Which of its events are concurrent with another's: from after the first number to the second, in order.
    concurrent: Vec<(u32, u32)>,
}

impl Profiler {
    fn watch(&mut self, candidates: &Candidates<'_>) {
        self.hear(candidates);
        let number = self.number(candidates, 0);
        self.pending[number] = false;
        self.last = Some(number);
        self.steps += 1;
        self.happens(number, candidates);
    }

    /// Finds out whose events can happen since the last one has.
    fn hear(&mut self, candidates: &Candidates<'_>) {
        let (left, came) = match candidates.changes(self.heard) {
            Some((slots, now)) => {
                self.heard = now;
                let came = slots.iter().filter_map(|&slot| candidates.index(slot)).collect();
                (slots.iter().filter_map(|&slot| self.leave(slot)).collect(), came)
            }
            None => {
                self.heard = candidates.changed();
                let left = std::mem::take(&mut self.slots).into_iter().flatten().collect();
                (left, (0..candidates.len()).collect())
            }
        };
        self.exchange(candidates, left, came);
    }

    fn leave(&mut self, slot: u32) -> Option<usize> {
        self.slots.get_mut(slot as usize)?.take()
    }

    fn exchange(&mut self, candidates: &Candidates<'_>, left: Vec<usize>, came: Vec<usize>) {
        let came: Vec<_> = came
            .into_iter()
            .map(|index| (index, self.number(candidates, index)))
            .collect();
        for &(index, number) in &came {
            if !self.pending[number] && !comes_of_time(candidates, index) {
                self.follows_last(number);
            }
        }
        for number in left {
            self.pending[number] = false;
        }
        for (index, number) in came {
            self.pending[number] = true;
            let slot = candidates.slot(index) as usize;
            self.slots.resize(self.slots.len().max(slot + 1), None);
            self.slots[slot] = Some(number);
        }
    }

    fn number(&mut self, candidates: &Candidates<'_>, index: usize) -> usize {
        let actor = candidates.actor(index);
        if let Some(number) = *self.numbers.of(actor) {
            return number;
        }
        let number = self.actors.len();
        *self.numbers.of(actor) = Some(number);
        self.done.push(0);
        self.pending.push(false);
        self.lineages.insert(candidates.lineage(index), number);
        self.actors.push(Known {
            lineage: candidates.lineage(index),
            parent: candidates.parent(index),
            clock: Vec::new(),
            concurrent: Vec::new(),
        });
        number
    }

    /// The last event has led to one of `number`.
    fn follows_last(&mut self, number: usize) {
        let Some(last) = self
            .last
            .filter(|&last| last != number && self.actors.len() <= MOST_ACTORS)
        else {
            return;
        };
        let before = self.actors[last].clock.clone();
        join(&mut self.actors[number].clock, &before);
    }

    fn happens(&mut self, number: usize, candidates: &Candidates<'_>) {
        let clock = &mut self.actors[number].clock;
        clock.resize(clock.len().max(number + 1), 0);
        clock[number] += 1;
        self.done[number] += 1;
        self.overlap(number);
        let event = candidates.get(0);
        if event.object == Object::Local {
            return;
        }
        let identity = candidates.identity(event.object);
        *self.counts.entry((number, identity)).or_default() += 1;
        if event.object == Object::World {
            self.everything = Some(identity);
            return;
        }
        self.identities.insert(event.object, identity);
        self.contend(number, &event);
        if let Object::Process(process) = event.object {
            join(self.mail.entry(process).or_default(), &self.actors[number].clock);
        }
        let at = self.seen(number, number);
        self.accesses.insert((event.object, number, event.write), at);
    }

    /// How many events of `other` have led to the last one of `number`.
    fn seen(&self, number: usize, other: usize) -> u32 {
        self.actors[number].clock.get(other).copied().unwrap_or(0)
    }

    /// The last event of `number` is concurrent with those of others that have not led to it.
    fn overlap(&mut self, number: usize) {
        let mut concurrent = self.actors.len() > MOST_ACTORS;
        let clock = std::mem::take(&mut self.actors[number].clock);
        let seen = clock.iter().copied().chain(std::iter::repeat(0));
        for (other, (&done, seen)) in self.done.iter().zip(seen).enumerate().take(MOST_ACTORS) {
            if done > seen && other != number {
                self.actors[other].mark(seen, done);
                concurrent = true;
            }
        }
        self.actors[number].clock = clock;
        if concurrent {
            let done = self.done[number];
            self.actors[number].mark(done - 1, done);
        }
    }

    fn contend(&mut self, number: usize, event: &Candidate) {
        if self.is_settled(event.object) {
            return;
        }
        let (first, last) = overlapping(event.object);
        let accesses = self.accesses.range((first, 0, false)..=(last, usize::MAX, true));
        let whole = match event.object {
            Object::Table { table, entry: Some(_) } => Some(Object::Table { table, entry: None }),
            _ => None,
        };
        let of_whole = whole.map(|whole| self.accesses.range((whole, 0, false)..=(whole, usize::MAX, true)));
        let all = accesses.chain(of_whole.into_iter().flatten());
        let conflicting = all.filter(|&(&(_, other, write), &at)| {
            other != number && (write || event.write) && self.seen(number, other) < at
        });
        let mut objects: Vec<_> = conflicting.map(|(&(object, ..), _)| object).collect();
        objects.dedup();
        if !objects.is_empty() {
            let all = objects.iter().chain([&event.object]);
            self.contended
                .extend(all.filter_map(|object| self.identities.get(object)));
        }
    }

    /// Whether no event on the object can make anything else contended.
    fn is_settled(&self, object: Object) -> bool {
        let contended = |identity| self.contended.contains(identity);
        !matches!(object, Object::Table { .. }) && self.identities.get(&object).is_some_and(contended)
    }

    /// The events of the actors, and of all whom they have brought into being, on contended objects.
    fn weights(&self) -> BTreeMap<Lineage, u64> {
        let mut weights: BTreeMap<_, u64> = self.actors.iter().map(|actor| (actor.lineage, 0)).collect();
        for (&(number, object), count) in &self.counts {
            if self.everything == Some(object) || self.contended.contains(&object) {
                self.with_parents(number, |lineage| *weights.entry(lineage).or_default() += count);
            }
        }
        weights
    }

    fn shares(&self) -> BTreeMap<(Lineage, Lineage), u64> {
        let mut shares = BTreeMap::new();
        for (&(number, object), count) in &self.counts {
            if self.contended.contains(&object) {
                self.with_parents(number, |lineage| *shares.entry((object, lineage)).or_default() += count);
            }
        }
        shares
    }

    fn with_parents(&self, number: usize, mut add: impl FnMut(Lineage)) {
        let mut actor = Some(&self.actors[number]);
        while let Some(known) = actor {
            add(known.lineage);
            actor = known
                .parent
                .and_then(|parent| self.lineages.get(&parent))
                .map(|&number| &self.actors[number]);
        }
    }
}

impl Known {
    /// Its events from after `from` to `to`, which is the last so far, are concurrent with another's.
    fn mark(&mut self, mut from: u32, to: u32) {
        let is_marked = |&(before, last): &(u32, u32)| last == to && before <= from;
        if self.concurrent.last().is_some_and(is_marked) {
            return;
        }
        while let Some(&(before, _)) = self.concurrent.last().filter(|(_, end)| *end >= from) {
            from = from.min(before);
            self.concurrent.pop();
        }
        self.concurrent.push((from, to));
    }
}

/// What has led to `clock` includes what has led to `other`.
fn join(clock: &mut Vec<u32>, other: &[u32]) {
    clock.resize(clock.len().max(other.len()), 0);
    for (known, other) in clock.iter_mut().zip(other) {
        *known = (*known).max(*other);
    }
}

/// Whether an event can happen because its time has come, and not because of another.
fn comes_of_time(candidates: &Candidates<'_>, index: usize) -> bool {
    match candidates.actor(index) {
        Actor::Timer(_) => true,
        Actor::Process(process) => candidates.get(index).object == Object::Process(process),
        _ => false,
    }
}

/// The first and the last of the objects, in their order, that an object overlaps with.
fn overlapping(object: Object) -> (Object, Object) {
    match object {
        Object::Table { table, entry: None } => {
            let entry = Some(u32::MAX);
            (object, Object::Table { table, entry })
        }
        object => (object, object),
    }
}

impl Strategy for Profiler {
    fn schedule(&mut self, candidates: &Candidates<'_>, _choices: usize) -> usize {
        self.watch(candidates);
        0
    }

    fn forced(&mut self, candidates: &Candidates<'_>) {
        self.watch(candidates);
    }

    fn looked(&mut self, process: ProcessId) {
        let number = *self.numbers.of(Actor::Process(process));
        if let (Some(number), Some(mail)) = (number, self.mail.get(&process)) {
            join(&mut self.actors[number].clock, mail);
        }
    }

    fn stall(&mut self, _max: Micros, _upcoming: &[Micros]) -> Micros {
        1
    }

    fn latency(&mut self, _max: Micros) -> Micros {
        0
    }

    fn fault(&mut self, _count: u64) -> u64 {
        0
    }

    fn profile(&self) -> Option<Profile> {
        let spans = self.actors.iter().flat_map(|actor| &actor.concurrent);
        Some(Profile {
            steps: self.steps,
            choices: spans.map(|(from, to)| u64::from(to - from)).sum(),
            actors: self.actors.len() as u64,
            weights: self.weights(),
            shares: self.shares(),
            contended: self.contended.clone(),
        })
    }
}
