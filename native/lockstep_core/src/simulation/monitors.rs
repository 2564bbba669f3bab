//! Monitors: a process hears of the end of another.
//!
//! One that watches a process of another node, or nobody at all, learns by a signal what it watches.

use super::Simulation;
use super::aliases::Alias;
use super::connections::Way;
use crate::causality::Thing;
use crate::ids::{MessageId, NodeId, ProcessId, RefId};
use crate::network::Content;
use crate::op::{AliasMode, Grant, Item, SystemReason, Target};
use crate::trace::Kind;

impl Simulation {
    pub(super) fn monitor(
        &mut self,
        me: ProcessId,
        target: Target,
        reference: RefId,
        alias: Option<AliasMode>,
    ) -> Grant {
        self.event(Some(me), Kind::Monitor, reference.0, 0);
        if let Some(mode) = alias {
            self.aliases.insert(reference, Alias::new(me, mode));
        }
        let (node, found) = match target {
            Target::Process(process) => (self.home(process), Some(process).filter(|&process| self.alive(process))),
            Target::Name(node, name) => {
                self.touch(Thing::Name(node, name), false);
                (node, self.network.node(node).names.get(&name).copied())
            }
            Target::Alias(_) => return Grant::Done,
        };
        if let Some(process) = found.or(target.process()) {
            self.touch(Thing::Life(process), false);
        }
        match found {
            // A process that watches itself watches nothing; its alias is none either.
            Some(process) if process == me => {
                self.aliases.remove(&reference);
                return Grant::Bool(false);
            }
            _ if node != self.home(me) => self.watch_far(me, target, node, reference),
            Some(process) => self.watch(me, process, reference),
            None => self.watch_too_late(me, target, reference),
        }
        Grant::Done
    }

    pub(super) fn watch(&mut self, me: ProcessId, process: ProcessId, reference: RefId) {
        self.expect(me).watching.insert(reference, Target::Process(process));
        self.expect(process).watched_by.insert(reference, me);
    }

    /// To watch somebody on another node is a wish that has to get there.
    fn watch_far(&mut self, me: ProcessId, target: Target, node: NodeId, reference: RefId) {
        if self.way(self.home(me), node) == Way::Closed {
            self.unwatch(me, reference);
            return self.drop_in(me, Item::Down(reference, SystemReason::Noconnection));
        }
        self.expect(me).watching.insert(reference, target);
        let id = self.next_message();
        let content = Content::Monitor {
            reference,
            from: me,
            to: target,
        };
        self.post_to(me, target, node, id, content, true);
        self.has_sent(me, node);
    }

    /// That there is nobody to watch is told by a signal, too: until it is there the monitor has not fired.
    fn watch_too_late(&mut self, me: ProcessId, target: Target, reference: RefId) {
        // What comes from a process comes after all that it has sent before.
        let from = if let Target::Process(process) = target {
            process
        } else {
            me
        };
        self.expect(me).watching.insert(reference, Target::Process(from));
        self.answer_too_late(from, me, Some(reference));
    }

    pub(super) fn demonitor(&mut self, me: ProcessId, reference: RefId) -> Grant {
        self.end_alias(me, reference);
        let watched = self.expect(me).watching.get(&reference).copied();
        self.touch(Thing::Watch(reference), true);
        if let Some(process) = watched.and_then(Target::process) {
            self.touch(Thing::Life(process), false);
        }
        let found = self.unwatch(me, reference);
        if let Some(target) = watched {
            self.has_sent(me, self.home_of(target));
        }
        self.told(me, Kind::Demonitor, reference.0, u64::from(found), Grant::Bool(found))
    }

    /// Takes a monitor back, and the alias that ends with it; whether there was one.
    pub(super) fn unwatch(&mut self, me: ProcessId, reference: RefId) -> bool {
        let ends = |alias: &Alias| alias.owner == me && alias.ends_with_monitor() && !alias.used;
        if self.aliases.get(&reference).is_some_and(ends) {
            self.aliases.remove(&reference);
        }
        let Some(target) = self.expect(me).watching.remove(&reference) else {
            return false;
        };
        if let Target::Process(process) = target {
            if let Some(entry) = self.living(process) {
                entry.watched_by.remove(&reference);
            }
        }
        true
    }

    /// A process on another node wants to watch one here. It may have taken that back meanwhile.
    pub(super) fn deliver_monitor(&mut self, id: MessageId, reference: RefId, from: ProcessId, to: Target) {
        self.touch(Thing::Watch(reference), false);
        if !self.watches(from, reference) {
            return;
        }
        self.touch_watched(to);
        let found = self.receiver(to).filter(|&process| self.get(process).is_some());
        self.event(found, Kind::Watched, id.0, reference.0);
        match found {
            Some(process) => self.watch(from, process, reference),
            None => {
                // Nobody is there to answer for a name.
                let nobody = if let Target::Process(process) = to {
                    process
                } else {
                    from
                };
                self.answer_from(self.home_of(to), nobody, from, Some(reference));
            }
        }
    }

    pub(super) fn deliver_down(&mut self, to: ProcessId, reference: RefId, item: Item) {
        self.touch(Thing::Watch(reference), true);
        self.touch(Thing::Mailbox(to), true);
        if !self.alive(to) || !self.watches(to, reference) {
            return;
        }
        match self.aliases.get_mut(&reference).filter(|alias| alias.used) {
            Some(alias) => alias.missed = Some(item),
            None => {
                self.unwatch(to, reference);
                self.drop_in(to, item);
            }
        }
    }

    /// A monitor fires at once, with a reason of the core's own.
    pub(super) fn down(&mut self, to: ProcessId, reference: RefId, reason: SystemReason) {
        self.deliver_down(to, reference, Item::Down(reference, reason));
    }
}
