//! The virtual clock and everything that waits for a point in time.

use std::collections::BTreeMap;

/// Virtual time since the start of the run, in microseconds.
pub type Micros = u64;

/// A deadline's place in the clock: when, and the how-manieth it is to be set.
pub type Deadline = (Micros, u64);

/// The virtual clock: it stands still until it is told to jump to the next deadline.
///
/// An ordered map and not a heap, because most deadlines (the 5 s of a `GenServer.call`) are cancelled long before
/// they are due, and a cancelled one must not stay behind.
#[derive(Debug)]
pub struct Clock<D> {
    now: Micros,
    set: u64,
    deadlines: BTreeMap<Deadline, D>,
}

impl<D> Clock<D> {
    /// A clock at time zero, with no deadlines.
    pub fn new() -> Self {
        Clock {
            now: 0,
            set: 0,
            deadlines: BTreeMap::new(),
        }
    }

    /// The time now.
    pub fn now(&self) -> Micros {
        self.now
    }

    /// Sets a deadline; what is due at the same time comes up in the order it was set.
    pub fn set(&mut self, due: Micros, what: D) -> Deadline {
        self.set += 1;
        let deadline = (due.max(self.now), self.set);
        self.deadlines.insert(deadline, what);
        deadline
    }

    /// Takes a deadline back; harmless when it has passed.
    pub fn cancel(&mut self, deadline: Deadline) {
        self.deadlines.remove(&deadline);
    }

    /// When the next deadline is due.
    pub fn next(&self) -> Option<Micros> {
        self.deadlines.first_key_value().map(|((due, _), _)| *due)
    }

    /// How long it is until the next `most` different times at which something is due, not later than in `within`.
    pub fn upcoming(&self, within: Micros, most: usize) -> Vec<Micros> {
        let mut upcoming = Vec::new();
        for (due, _) in self.deadlines.keys() {
            let left = due.saturating_sub(self.now);
            if left > within || upcoming.len() == most {
                break;
            }
            if upcoming.last() != Some(&left) {
                upcoming.push(left);
            }
        }
        upcoming
    }

    /// How many deadlines are set.
    pub fn len(&self) -> usize {
        self.deadlines.len()
    }

    /// Whether no deadline is set.
    pub fn is_empty(&self) -> bool {
        self.deadlines.is_empty()
    }

    /// Jumps to the next deadline; false when there is none.
    pub fn jump(&mut self) -> bool {
        match self.next() {
            Some(due) => {
                self.now = self.now.max(due);
                true
            }
            None => false,
        }
    }

    /// Takes out one thing that is due by now.
    pub fn pop_due(&mut self) -> Option<D> {
        let entry = self.deadlines.first_entry()?;
        if entry.key().0 <= self.now {
            Some(entry.remove())
        } else {
            None
        }
    }
}

impl<D> Default for Clock<D> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_up_in_order_of_time_then_of_setting() {
        let mut clock = Clock::new();
        clock.set(20, 'c');
        clock.set(10, 'a');
        clock.set(10, 'b');
        assert_eq!(clock.pop_due(), None);
        assert!(clock.jump());
        assert_eq!(
            (clock.now(), clock.pop_due(), clock.pop_due(), clock.pop_due()),
            (10, Some('a'), Some('b'), None)
        );
        assert!(clock.jump());
        assert_eq!((clock.now(), clock.pop_due()), (20, Some('c')));
        assert!(!clock.jump());
    }

    #[test]
    fn what_is_upcoming_are_times_and_not_deadlines() {
        let mut clock = Clock::new();
        for due in [30, 10, 10, 20, 40] {
            clock.set(due, ());
        }
        assert_eq!(clock.upcoming(30, 8), [10, 20, 30]);
        assert_eq!(clock.upcoming(30, 2), [10, 20]);
        assert_eq!(clock.upcoming(9, 8), []);
        clock.jump();
        assert_eq!(clock.upcoming(10, 8), [0, 10]);
    }

    #[test]
    fn a_cancelled_deadline_leaves_nothing_behind() {
        let mut clock = Clock::new();
        let deadline = clock.set(10, ());
        clock.cancel(deadline);
        clock.cancel(deadline);
        assert!(!clock.jump());
    }

    #[test]
    fn a_deadline_in_the_past_is_due_now() {
        let mut clock = Clock::new();
        clock.set(10, 1);
        clock.jump();
        clock.pop_due();
        clock.set(3, 2);
        assert_eq!(clock.pop_due(), Some(2));
        assert_eq!(clock.now(), 10);
    }
}
