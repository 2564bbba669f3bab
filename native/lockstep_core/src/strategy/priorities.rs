use super::actors::Actors;
use super::{Actor, Candidates, Object};
use crate::rng::Rng;

/// Drawn priorities have this bit, so that they are above all that are given.
pub(super) const DRAWN: u64 = 1 << 63;

/// A priority an actor, drawn when it is first needed. Drawn priorities are independent, so that a new one has any rank
/// among the others with the same probability. 0 is none.
#[derive(Debug, Default)]
pub(super) struct Priorities(Actors<u64>);

impl Priorities {
    pub(super) fn of(&mut self, actor: Actor, rng: &mut Rng) -> u64 {
        let priority = self.0.of(actor);
        if *priority == 0 {
            *priority = rng.next_u64() | DRAWN;
        }
        *priority
    }

    /// Gives an actor a priority below all that are drawn; 0 has a new one drawn.
    pub(super) fn set(&mut self, actor: Actor, priority: u64) {
        debug_assert!(priority < DRAWN);
        *self.0.of(actor) = priority;
    }

    /// The next event of this actor gets a new priority.
    pub(super) fn forget(&mut self, actor: Actor) {
        self.0.forget(actor);
    }

    /// The place of the candidate with the highest priority.
    pub(super) fn highest(&mut self, candidates: &Candidates<'_>, rng: &mut Rng) -> usize {
        let all = 0..candidates.len();
        all.max_by_key(|&index| self.of(candidates.actor(index), rng))
            .unwrap_or(0)
    }

    /// The candidate at `index` happens: its actor's next event gets a new priority, and so do those that conflict with it.
    pub(super) fn redraw_conflicting(&mut self, candidates: &Candidates<'_>, index: usize) {
        let done = candidates.get(index);
        self.forget(candidates.actor(index));
        if done.object == Object::Local {
            return;
        }
        for other in (0..candidates.len()).filter(|&other| other != index) {
            if candidates.get(other).conflicts(&done) {
                self.forget(candidates.actor(other));
            }
        }
    }
}

/// The place of the first event that races with nothing, if there is one.
pub(super) fn first_local(candidates: &Candidates<'_>) -> Option<usize> {
    (0..candidates.len()).find(|&index| candidates.get(index).object == Object::Local)
}
