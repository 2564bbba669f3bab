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
    free: Vec<u32>,
}

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
        let slot = self.place(event);
        self.order.push_front(slot);
    }

    pub(super) fn push_back(&mut self, event: Ready) {
        let slot = self.place(event);
        self.order.push_back(slot);
    }

    fn place(&mut self, event: Ready) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.events[slot as usize] = event;
            return slot;
        }
        self.events.push(event);
        (self.events.len() - 1) as u32
    }

    /// Takes out the event at a place.
    pub(super) fn take(&mut self, index: usize) -> Option<Ready> {
        let slot = match index {
            0 => self.order.pop_front(),
            _ => self.order.remove(index),
        }?;
        self.free.push(slot);
        Some(self.events[slot as usize])
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

    fn event(number: u32) -> Ready {
        Ready::Run(ProcessId(number))
    }

    proptest! {
        /// What is done to it is what would be done to a plain queue of the events.
        #[test]
        fn is_a_queue(actions in prop::collection::vec((0..5u8, 0..12u32), 0..200)) {
            let (mut queue, mut plain) = (Queue::default(), VecDeque::new());
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
            }
        }
    }
}
