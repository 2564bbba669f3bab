//! The events that can happen, in the order in which they would undisturbed.

use std::collections::VecDeque;
use std::ops::Index;

use super::Ready;

/// A queue from whose middle events are taken.
///
/// What moves up when one is taken out are small numbers and not the events themselves: where a thousand processes can
/// run, that is most of what a step costs.
#[derive(Debug, Default)]
pub(super) struct Queue {
    order: VecDeque<u32>,
    events: Vec<Ready>,
    /// In the order of the queue: less in front, more behind. Those of free slots mean nothing.
    stamps: Vec<i64>,
    free: Vec<u32>,
    front: i64,
    back: i64,
    /// Which slots have got an event or lost it, and how many such changes came before these.
    changed: Vec<u32>,
    forgotten: u64,
}

/// At least so many changes are kept, and for each slot two.
const CHANGES: usize = 64;

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Ready> {
        self.order.iter().map(|&slot| self.events[slot as usize])
    }

    pub(super) fn contains(&self, event: Ready) -> bool {
        self.iter().any(|other| other == event)
    }

    pub(super) fn push_front(&mut self, event: Ready) {
        self.front -= 1;
        let slot = self.place(event, self.front);
        self.order.push_front(slot);
    }

    pub(super) fn push_back(&mut self, event: Ready) {
        self.back += 1;
        let slot = self.place(event, self.back);
        self.order.push_back(slot);
    }

    fn place(&mut self, event: Ready, stamp: i64) -> u32 {
        let slot = self.free.pop().unwrap_or(self.events.len() as u32);
        if slot as usize == self.events.len() {
            self.events.push(event);
            self.stamps.push(stamp);
        } else {
            self.events[slot as usize] = event;
            self.stamps[slot as usize] = stamp;
        }
        self.change(slot);
        slot
    }

    fn change(&mut self, slot: u32) {
        if self.changed.len() >= CHANGES + 2 * self.events.len() {
            self.forgotten += self.changed.len() as u64;
            self.changed.clear();
        }
        self.changed.push(slot);
    }

    /// Which slots have got an event or lost it since there had been so many changes, and how many there have been now;
    /// none if that is no longer known.
    pub(super) fn changes(&self, since: u64) -> Option<(&[u32], u64)> {
        let known = since.checked_sub(self.forgotten)? as usize;
        Some((self.changed.get(known..)?, self.changed()))
    }

    /// How many changes there have been.
    pub(super) fn changed(&self) -> u64 {
        self.forgotten + self.changed.len() as u64
    }

    /// The slot of the event at a place; it stays the same as long as the event is here.
    pub(super) fn slot(&self, index: usize) -> u32 {
        self.order[index]
    }

    /// Of an event that is here: those of events before it are less.
    pub(super) fn stamp(&self, slot: u32) -> i64 {
        self.stamps[slot as usize]
    }

    /// The place of the event in a slot, if there is one.
    pub(super) fn index(&self, slot: u32) -> Option<usize> {
        let stamp = self.stamp(slot);
        let found = self.order.binary_search_by_key(&stamp, |&other| self.stamp(other));
        found.ok().filter(|&index| self.order[index] == slot)
    }

    /// Takes out the event at a place.
    pub(super) fn take(&mut self, index: usize) -> Option<Ready> {
        let slot = match index {
            0 => self.order.pop_front(),
            _ => self.order.remove(index),
        }?;
        self.free.push(slot);
        self.change(slot);
        Some(self.events[slot as usize])
    }

    /// What the event acts upon, if it is there, is something else now.
    pub(super) fn touch(&mut self, event: Ready) {
        let place = self.iter().position(|other| other == event);
        if let Some(index) = place {
            self.change(self.slot(index));
        }
    }

    /// Takes an event out, if it is there.
    pub(super) fn remove(&mut self, event: Ready) {
        let place = self.iter().position(|other| other == event);
        if let Some(index) = place {
            self.take(index);
        }
    }

    /// Takes out the events for which this holds, in their order.
    pub(super) fn take_all(&mut self, which: impl Fn(Ready) -> bool) -> Vec<Ready> {
        let fits: Vec<_> = self.iter().filter(|&event| which(event)).collect();
        for &event in &fits {
            self.remove(event);
        }
        fits
    }
}

impl Index<usize> for Queue {
    type Output = Ready;

    fn index(&self, index: usize) -> &Ready {
        &self.events[self.order[index] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ProcessId;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn event(number: u32) -> Ready {
        Ready::Run(ProcessId(number))
    }

    proptest! {
        /// What is done to it is what would be done to a plain queue of the events.
        #[test]
        fn is_a_queue(actions in prop::collection::vec((0..5u8, 0..12u32), 0..200)) {
            let (mut queue, mut plain) = (Queue::default(), VecDeque::new());
            let (mut known, mut since) = (BTreeMap::new(), 0);
            for (action, number) in actions {
                let one = event(number);
                match action {
                    0 if !plain.contains(&one) => { queue.push_front(one); plain.push_front(one); }
                    1 if !plain.contains(&one) => { queue.push_back(one); plain.push_back(one); }
                    2 => { queue.remove(one); plain.retain(|&other| other != one); }
                    3 => prop_assert_eq!(queue.take(number as usize), plain.remove(number as usize)),
                    _ => {
                        let even = |ready| matches!(ready, Ready::Run(process) if process.0 % number.max(1) == 0);
                        let taken: Vec<_> = plain.iter().copied().filter(|&ready| even(ready)).collect();
                        plain.retain(|&ready| !even(ready));
                        prop_assert_eq!(queue.take_all(even), taken);
                    }
                }
                prop_assert!(queue.iter().eq(plain.iter().copied()));
                prop_assert_eq!((queue.len(), queue.is_empty()), (plain.len(), plain.is_empty()));
                prop_assert!((0..plain.len()).all(|index| queue[index] == plain[index]));
                prop_assert_eq!(queue.contains(one), plain.contains(&one));
                prop_assert!((0..plain.len()).all(|index| queue.index(queue.slot(index)) == Some(index)));
                prop_assert!((1..plain.len()).all(|index| queue.stamp(queue.slot(index - 1)) < queue.stamp(queue.slot(index))));
                prop_assert!(queue.free.iter().all(|&slot| queue.index(slot).is_none()));
                // Who hears of all changes knows what is there.
                if let Some((slots, now)) = queue.changes(since) {
                    since = now;
                    for &slot in slots {
                        known.remove(&slot);
                        known.extend(queue.index(slot).map(|index| (slot, queue[index])));
                    }
                } else {
                    known = (0..queue.len()).map(|index| (queue.slot(index), queue[index])).collect();
                    since = queue.changed();
                }
                prop_assert!((0..plain.len()).all(|index| known.get(&queue.slot(index)) == Some(&queue[index])));
                prop_assert_eq!(known.len(), queue.len());
            }
        }
    }
}
