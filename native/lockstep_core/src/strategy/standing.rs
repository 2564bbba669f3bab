use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::priorities::Priorities;
use super::{Actor, Candidate, Candidates, Object};
use crate::hashed::Hashed;
use crate::rng::Rng;

/// The candidates in the order of their priorities, kept from one choice to the next, so that a choice costs no more where
/// many can act.
///
/// Where few can act all are looked at each time, which is as fast and leaves nothing to remember. Else it hears of what
/// comes and goes ([`Candidates::changes`]); what may change while it waits is looked at anew each time.
/// Whoever has no priority gets one when it is needed, in the order of the candidates.
#[derive(Debug, Default)]
pub(super) struct Standing {
    priorities: Priorities,
    /// Events that race with nothing come first and need no priority.
    local_first: bool,
    /// Whether what follows is up to date.
    remembers: bool,
    /// How many changes it has heard of.
    heard: u64,
    /// By slot.
    entries: Vec<Option<Entry>>,
    /// The slots whose events may change.
    passing: Vec<u32>,
    /// Those that have got an event, or whose event is another, since it has looked before.
    news: Vec<u32>,
    /// The slots with the same object are a list: here is its first.
    alike: Hashed<Object, u32>,
    /// May hold some that are gone, as the next two.
    locals: BinaryHeap<Reverse<(i64, u32)>>,
    ranked: BinaryHeap<(u64, u32)>,
    undrawn: Vec<u32>,
}

/// So many candidates are looked at one by one.
const FEW: usize = 8;

#[derive(Debug, Clone, Copy)]
struct Entry {
    actor: Actor,
    event: Candidate,
    stamp: i64,
    /// 0 is none.
    priority: u64,
    /// It does not count at present.
    barred: bool,
    /// The slots before and after it with the same object.
    before: Option<u32>,
    after: Option<u32>,
}

impl Standing {
    pub(super) fn local_first() -> Self {
        Standing {
            local_first: true,
            ..Standing::default()
        }
    }

    /// The place of the candidate that comes first.
    pub(super) fn first(&mut self, candidates: &Candidates<'_>, rng: &mut Rng) -> usize {
        if candidates.len() <= FEW {
            self.remembers = false;
            return self.first_of_few(candidates, rng);
        }
        self.refresh(candidates);
        let slot = self.first_local().or_else(|| {
            self.draw(rng);
            self.highest()
        });
        slot.and_then(|slot| candidates.index(slot)).unwrap_or(0)
    }

    fn first_of_few(&mut self, candidates: &Candidates<'_>, rng: &mut Rng) -> usize {
        let all = || 0..candidates.len();
        let is_local = |&index: &usize| candidates.get(index).object == Object::Local;
        let local = if self.local_first { all().find(is_local) } else { None };
        let highest = |&index: &usize| self.priorities.of(candidates.actor(index), rng);
        local.or_else(|| all().max_by_key(highest)).unwrap_or(0)
    }

    /// Gives an actor, which is no candidate any more, a priority below all that are drawn.
    pub(super) fn set(&mut self, actor: Actor, priority: u64) {
        self.priorities.set(actor, priority);
    }

    /// The candidate at `index` happens: its actor's next event gets a new priority, and so do those that conflict with it.
    pub(super) fn redraw_conflicting(&mut self, candidates: &Candidates<'_>, index: usize) {
        self.priorities.forget(candidates.actor(index));
        let done = candidates.get(index);
        if candidates.len() == 1 || done.object == Object::Local {
            return;
        }
        if !self.remembers {
            for other in (0..candidates.len()).filter(|&other| candidates.get(other).conflicts(&done)) {
                self.priorities.forget(candidates.actor(other));
            }
            return;
        }
        match done.object {
            Object::World | Object::Table { entry: None, .. } => {
                for slot in 0..self.entries.len() as u32 {
                    self.redraw(slot, &done);
                }
            }
            Object::Table { table, .. } => {
                for object in [done.object, Object::Table { table, entry: None }, Object::World] {
                    self.redraw_alike(object, &done);
                }
            }
            object => {
                self.redraw_alike(object, &done);
                self.redraw_alike(Object::World, &done);
            }
        }
    }

    fn redraw_alike(&mut self, object: Object, done: &Candidate) {
        let mut next = self.alike.get(&object).copied();
        while let Some(slot) = next {
            self.redraw(slot, done);
            next = self.entry(slot).and_then(|entry| entry.after);
        }
    }

    fn redraw(&mut self, slot: u32, done: &Candidate) {
        let Some(entry) = &mut self.entries[slot as usize] else {
            return;
        };
        if entry.priority > 0 && entry.event.conflicts(done) {
            entry.priority = 0;
            self.priorities.forget(entry.actor);
            self.undrawn.push(slot);
        }
    }

    /// Hears of what has come and gone.
    pub(super) fn refresh(&mut self, candidates: &Candidates<'_>) {
        self.news.clear();
        match candidates.changes(self.heard).filter(|_| self.remembers) {
            Some((slots, now)) => {
                self.heard = now;
                for &slot in slots {
                    self.leave(slot);
                    if let Some(index) = candidates.index(slot) {
                        self.enter(candidates, slot, index);
                    }
                }
            }
            None => self.begin_anew(candidates),
        }
        for number in 0..self.passing.len() {
            self.look_again(candidates, self.passing[number]);
        }
        self.news.sort_unstable_by_key(|&slot| candidates.stamp(slot));
    }

    fn begin_anew(&mut self, candidates: &Candidates<'_>) {
        self.entries.clear();
        self.passing.clear();
        self.alike.clear();
        self.locals.clear();
        self.ranked.clear();
        self.undrawn.clear();
        self.remembers = true;
        self.heard = candidates.changed();
        for index in 0..candidates.len() {
            self.enter(candidates, candidates.slot(index), index);
        }
    }

    fn enter(&mut self, candidates: &Candidates<'_>, slot: u32, index: usize) {
        let place = slot as usize;
        if self.entries.len() <= place {
            self.entries.resize(place + 1, None);
        }
        let actor = candidates.actor(index);
        self.entries[place] = Some(Entry {
            actor,
            event: candidates.get(index),
            stamp: candidates.stamp(slot),
            priority: self.priorities.known(actor),
            barred: false,
            before: None,
            after: None,
        });
        self.stand(slot);
        if !candidates.lasts(index) {
            self.passing.push(slot);
        }
    }

    fn leave(&mut self, slot: u32) {
        if self.entry(slot).is_some() {
            self.unlink(slot);
            self.entries[slot as usize] = None;
            self.passing.retain(|&other| other != slot);
        }
    }

    /// What an event acts upon may be something else now, because a name has been given or a time is up.
    fn look_again(&mut self, candidates: &Candidates<'_>, slot: u32) {
        let Some(index) = candidates.index(slot) else { return };
        let event = candidates.get(index);
        if self.entry(slot).is_some_and(|entry| entry.event != event) {
            self.unlink(slot);
            if let Some(entry) = &mut self.entries[slot as usize] {
                entry.event = event;
            }
            self.stand(slot);
        }
    }

    /// The slots of which [`refresh`](Self::refresh) has heard that they have an event, or another one, in the order of the
    /// candidates.
    pub(super) fn news(&self) -> &[u32] {
        &self.news
    }

    /// Who acts in a slot, and what its event is.
    pub(super) fn event(&self, slot: u32) -> Option<(Actor, Candidate)> {
        self.entry(slot).map(|entry| (entry.actor, entry.event))
    }

    /// An entry does not count for now.
    pub(super) fn bar(&mut self, slot: u32) {
        if let Some(Some(entry)) = self.entries.get_mut(slot as usize) {
            entry.barred = true;
        }
    }

    /// An entry counts again.
    pub(super) fn admit(&mut self, slot: u32) {
        let entry = self.entries.get_mut(slot as usize).and_then(Option::as_mut);
        let Some(entry) = entry.filter(|entry| entry.barred) else {
            return;
        };
        entry.barred = false;
        match entry.priority {
            0 => self.undrawn.push(slot),
            priority => self.ranked.push((priority, slot)),
        }
    }

    /// Puts an entry where it will be looked for.
    fn stand(&mut self, slot: u32) {
        let Some(&Entry {
            event, stamp, priority, ..
        }) = self.entry(slot)
        else {
            return;
        };
        self.link(slot, event.object);
        self.news.push(slot);
        if self.local_first && event.object == Object::Local {
            self.locals.push(Reverse((stamp, slot)));
        } else if priority == 0 {
            self.undrawn.push(slot);
        } else {
            self.ranked.push((priority, slot));
        }
    }

    fn link(&mut self, slot: u32, object: Object) {
        if object == Object::Local {
            return;
        }
        let after = self.alike.insert(object, slot);
        if let Some(entry) = &mut self.entries[slot as usize] {
            (entry.before, entry.after) = (None, after);
        }
        if let Some(entry) = after.and_then(|after| self.entries[after as usize].as_mut()) {
            entry.before = Some(slot);
        }
    }

    fn unlink(&mut self, slot: u32) {
        let Some(&Entry {
            event, before, after, ..
        }) = self.entry(slot)
        else {
            return;
        };
        if event.object == Object::Local {
            return;
        }
        if let Some(entry) = after.and_then(|after| self.entries[after as usize].as_mut()) {
            entry.before = before;
        }
        if let Some(entry) = before.and_then(|before| self.entries[before as usize].as_mut()) {
            entry.after = after;
        } else if let Some(after) = after {
            self.alike.insert(event.object, after);
        } else {
            self.alike.remove(&event.object);
        }
    }

    /// The first event that races with nothing.
    pub(super) fn first_local(&mut self) -> Option<u32> {
        while let Some(&Reverse((stamp, slot))) = self.locals.peek() {
            let stands = |entry: &Entry| entry.stamp == stamp && entry.event.object == Object::Local;
            if self.entry(slot).is_some_and(stands) {
                return Some(slot);
            }
            self.locals.pop();
        }
        None
    }

    /// Draws the priorities that there are not, in the order of the candidates.
    pub(super) fn draw(&mut self, rng: &mut Rng) {
        let mut undrawn = std::mem::take(&mut self.undrawn);
        undrawn.sort_unstable_by_key(|&slot| self.entry(slot).map(|entry| entry.stamp));
        for slot in undrawn.drain(..) {
            let needs = |entry: &&mut Entry| entry.priority == 0 && !entry.barred;
            let Some(entry) = self.entries[slot as usize].as_mut().filter(needs) else {
                continue;
            };
            entry.priority = self.priorities.of(entry.actor, rng);
            self.ranked.push((entry.priority, slot));
        }
        self.undrawn = undrawn;
    }

    /// The event with the highest priority of those that count.
    pub(super) fn highest(&mut self) -> Option<u32> {
        if self.ranked.len() > 64 + 4 * self.entries.len() {
            let slots = 0..self.entries.len() as u32;
            let all = slots.filter_map(|slot| Some((self.entry(slot)?.priority, slot)));
            self.ranked = all.filter(|&(priority, _)| priority > 0).collect();
        }
        while let Some(&(priority, slot)) = self.ranked.peek() {
            if self.has(slot, priority) {
                return Some(slot);
            }
            self.ranked.pop();
        }
        None
    }

    fn has(&self, slot: u32, priority: u64) -> bool {
        self.entry(slot)
            .is_some_and(|entry| entry.priority == priority && !entry.barred)
    }

    fn entry(&self, slot: u32) -> Option<&Entry> {
        self.entries.get(slot as usize)?.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever begins anew knows of fewer slots than before, and those who were barred may be gone.
    #[test]
    fn a_slot_that_is_gone_is_neither_barred_nor_admitted() {
        let mut standing = Standing::local_first();
        standing.bar(2);
        standing.admit(2);
        assert_eq!(standing.event(2), None);
        assert_eq!(standing.highest(), None);
    }
}
