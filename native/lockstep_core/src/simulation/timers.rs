//! Timers that send a message when their time comes.
//!
//! One that is due has not fired yet: that is an event of its own, which races with whatever else can happen.

use super::due::Due;
use super::{Ready, Simulation};
use crate::causality::{Cause, Thing};
use crate::clock::{Deadline, Micros};
use crate::ids::{MessageId, NodeId, ProcessId, RefId};
use crate::op::{Grant, Item, Target};
use crate::trace::Kind;

/// A timer that is set, or due and not yet fired.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timer {
    pub(super) target: Target,
    id: MessageId,
    due: Micros,
    deadline: Deadline,
    /// What has started it.
    pub(super) cause: Cause,
}

impl Simulation {
    pub(super) fn start_timer(&mut self, me: ProcessId, after: Micros, target: Target, reference: RefId) -> Grant {
        let id = self.next_message();
        let due = self.clock.now().saturating_add(after);
        if let Some(process) = target.process().filter(|&process| process != me) {
            self.touch(Thing::Life(process), false);
        }
        // A timer for a process that is dead never fires.
        let wanted = match target {
            Target::Process(process) => self
                .living(process)
                .map(|entry| entry.timers.insert(reference))
                .is_some(),
            Target::Name(..) => true,
            Target::Alias(_) => false,
        };
        if wanted {
            let deadline = self.clock.set(due, Due::Fire(reference));
            let cause = self.timer_cause(reference);
            self.timers.insert(
                reference,
                Timer {
                    target,
                    id,
                    due,
                    deadline,
                    cause,
                },
            );
        }
        self.told(me, Kind::StartTimer, reference.0, after, Grant::Parked(id))
    }

    pub(super) fn cancel_timer(&mut self, me: ProcessId, reference: RefId) -> Grant {
        self.touch(Thing::Timer(reference), true);
        let timer = self.drop_timer(reference);
        // The end of a process stops its timers, too.
        if let Some(process) = timer.and_then(|timer| timer.target.process()) {
            self.touch(Thing::Life(process), false);
        }
        let left = timer.map(|timer| (self.left(timer.due), timer.id));
        let found = u64::from(left.is_some());
        self.told(me, Kind::CancelTimer, reference.0, found, Grant::Timer(left))
    }

    pub(super) fn read_timer(&mut self, me: ProcessId, reference: RefId) -> Grant {
        self.touch(Thing::Timer(reference), false);
        let timer = self.timers.get(&reference);
        let left = timer.map(|timer| (self.left(timer.due), timer.id));
        self.told(me, Kind::ReadTimer, reference.0, 0, Grant::Timer(left))
    }

    /// Takes a timer out of the world, whether or not it is due.
    pub(super) fn drop_timer(&mut self, reference: RefId) -> Option<Timer> {
        let timer = self.timers.remove(&reference)?;
        self.clock.cancel(timer.deadline);
        self.queue.remove(Ready::Fire(reference));
        if let Target::Process(process) = timer.target {
            if let Some(entry) = self.living(process) {
                entry.timers.remove(&reference);
            }
        }
        Some(timer)
    }

    /// A timer is due; on a node that is paused it fires when that goes on.
    pub(super) fn fire_due(&mut self, reference: RefId) {
        let Some(target) = self.timers.get(&reference).map(|timer| timer.target) else {
            return;
        };
        let node = self.home_of(target);
        if self.network.node(node).paused.is_some() {
            self.network.node_mut(node).late.push(reference);
        } else {
            self.queue.push_back(Ready::Fire(reference));
        }
    }

    pub(super) fn fire(&mut self, reference: RefId) {
        let Some(timer) = self.drop_timer(reference) else {
            return;
        };
        let receiver = self.receiver(timer.target);
        self.touch(Thing::Timer(reference), true);
        if let Target::Name(node, name) = timer.target {
            self.touch(Thing::Name(node, name), false);
        }
        if let Some(process) = receiver {
            self.touch(Thing::Life(process), false);
        }
        match receiver.filter(|&process| self.alive(process)) {
            Some(process) => {
                self.event(Some(process), Kind::Fire, reference.0, timer.id.0);
                self.drop_in(process, Item::Parked(timer.id));
            }
            None => self.event(None, Kind::Fire, reference.0, timer.id.0),
        }
    }

    pub(super) fn put_off_timers(&mut self, node: NodeId) {
        let mut queue = std::mem::take(&mut self.queue);
        let of_node = queue.take_all(|ready| match ready {
            Ready::Fire(reference) => self.timers.get(&reference).map(|timer| self.home_of(timer.target)) == Some(node),
            _ => false,
        });
        self.queue = queue;
        for ready in of_node {
            if let Ready::Fire(reference) = ready {
                self.network.node_mut(node).late.push(reference);
            }
        }
    }

    /// The timers for names of a node that stops; those for its processes end with them.
    pub(super) fn drop_timers_of(&mut self, node: NodeId) {
        let for_name = |timer: &Timer| matches!(timer.target, Target::Name(home, _) if home == node);
        let timers = self.timers.iter().filter(|(_, timer)| for_name(timer));
        let gone: Vec<_> = timers.map(|(&reference, _)| reference).collect();
        for reference in gone {
            self.drop_timer(reference);
        }
    }

    fn left(&self, due: Micros) -> Micros {
        due.saturating_sub(self.clock.now())
    }
}
