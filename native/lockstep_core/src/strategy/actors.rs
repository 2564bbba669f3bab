use std::collections::BTreeMap;

use super::Actor;

/// Something kept of each actor.
///
/// Most actors are processes, whose numbers are dense; what is kept of one is looked up in every step.
#[derive(Debug)]
pub(super) struct Actors<T> {
    /// By number.
    processes: Vec<T>,
    others: BTreeMap<Actor, T>,
}

impl<T> Default for Actors<T> {
    fn default() -> Self {
        Actors {
            processes: Vec::new(),
            others: BTreeMap::new(),
        }
    }
}

impl<T: Default> Actors<T> {
    /// What is kept of an actor.
    pub(super) fn of(&mut self, actor: Actor) -> &mut T {
        match actor {
            Actor::Process(process) => {
                let number = process.0 as usize;
                if self.processes.len() <= number {
                    self.processes.resize_with(number + 1, T::default);
                }
                &mut self.processes[number]
            }
            other => self.others.entry(other).or_default(),
        }
    }

    /// Keeps nothing of an actor any more.
    pub(super) fn forget(&mut self, actor: Actor) {
        match actor {
            Actor::Process(_) => *self.of(actor) = T::default(),
            other => drop(self.others.remove(&other)),
        }
    }
}
