use super::Actor;
use super::actors::Actors;
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

    /// The priority of an actor, if it has one.
    pub(super) fn known(&mut self, actor: Actor) -> u64 {
        *self.0.of(actor)
    }
}
