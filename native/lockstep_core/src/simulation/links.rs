//! Links: two processes of which each hears of the other's end.
//!
//! On one node both know at once; between nodes, to link and to unlink are signals, and the two may differ for a while.

use super::Simulation;
use super::connections::Way;
use crate::causality::Thing;
use crate::ids::{MessageId, ProcessId};
use crate::network::{ChannelKey, Content, Network};
use crate::op::{Death, ExitClass, Grant, Item, Refusal, SystemReason, Target};
use crate::trace::Kind;

impl Simulation {
    pub(super) fn link(&mut self, me: ProcessId, other: ProcessId) -> Grant {
        self.event(Some(me), Kind::Link, u64::from(other.0), 0);
        self.touch(Thing::tie(me, other), true);
        self.touch(Thing::Life(other), false);
        let (home, away) = (self.home(me), self.home(other));
        if me != other && home == away && !self.alive(other) {
            return self.link_too_late(me, other);
        }
        if me == other || self.get(me).is_some_and(|process| process.links.contains(&other)) {
            return Grant::Bool(true);
        }
        self.expect(me).links.insert(other);
        if home == away {
            self.expect(other).links.insert(me);
        } else if self.way(home, away) == Way::Closed {
            self.exit_by_link(other, me, SystemReason::Noconnection);
        } else {
            let id = self.next_message();
            self.post(me, other, away, id, Content::Link { from: me, to: other }, true);
            self.has_sent(me, away);
        }
        Grant::Bool(true)
    }

    /// On one node the caller learns of it by an exception, unless it traps exits (erlang:link/1). A link that there was
    /// is as it was: its signal is still to come.
    fn link_too_late(&mut self, me: ProcessId, other: ProcessId) -> Grant {
        if self.lingers(me, other) {
            if self.expect(me).links.insert(other) {
                self.answer_too_late(other, me, None);
            }
        } else if self.expect(me).trap_exit {
            self.drop_in(me, Item::Exit(other, SystemReason::Noproc));
        } else {
            return Grant::Refused(Refusal::Noproc);
        }
        Grant::Bool(true)
    }

    /// A process that ends takes a moment to be gone. Until then it can be linked, and answers by a signal of its own.
    /// Whether it is that moment is a choice like a latency.
    fn lingers(&mut self, me: ProcessId, other: ProcessId) -> bool {
        let now = self.clock.now();
        let ends = self.is_ending(other) || self.just_ended.unknown_to(now, me, other);
        let lingers = ends && self.choices.latency(1) > 0;
        self.causality.decided(u64::from(lingers));
        lingers
    }

    pub(super) fn unlink(&mut self, me: ProcessId, other: ProcessId) -> Grant {
        self.event(Some(me), Kind::Unlink, u64::from(other.0), 0);
        self.touch(Thing::tie(me, other), true);
        self.touch(Thing::Life(other), false);
        let linked = self.expect(me).links.remove(&other);
        let (home, away) = (self.home(me), self.home(other));
        if !Network::wired(home, away) {
            if let Some(entry) = self.living(other) {
                entry.links.remove(&me);
            }
        } else if linked {
            // The caller is rid of it at once. Should the connection be lost first, the other is told of that.
            let id = self.next_message();
            self.post(me, other, away, id, Content::Unlink { from: me, to: other }, true);
            self.has_sent(me, away);
        }
        Grant::Bool(true)
    }

    /// A process on another node wants to be linked. If its own node has lost the connection meanwhile, this one will.
    pub(super) fn deliver_link(&mut self, id: MessageId, from: ProcessId, to: ProcessId) {
        if self.is_unlinking(to, from) {
            return;
        }
        self.touch(Thing::tie(from, to), true);
        self.touch(Thing::Life(to), false);
        self.event(Some(to), Kind::Linked, id.0, u64::from(from.0));
        match self.living(to) {
            Some(entry) => {
                entry.links.insert(from);
            }
            None => self.answer_too_late(to, from, None),
        }
    }

    /// A process on another node has taken its link back.
    pub(super) fn deliver_unlink(&mut self, id: MessageId, from: ProcessId, to: ProcessId) {
        self.touch(Thing::tie(from, to), true);
        self.touch(Thing::Life(to), false);
        self.event(Some(to), Kind::Unlinked, id.0, u64::from(from.0));
        if let Some(entry) = self.living(to) {
            entry.links.remove(&from);
        }
    }

    /// Whether a process has taken its link to another back and that does not know it yet: what the other says of links
    /// meanwhile does not count.
    fn is_unlinking(&self, from: ProcessId, to: ProcessId) -> bool {
        let key = ChannelKey {
            from,
            to: Target::Process(to),
        };
        let channel = self.network.channels.get(&key);
        let mut packets = channel.into_iter().flat_map(|channel| &channel.packets);
        packets.any(|packet| matches!(packet.content, Content::Unlink { .. }))
    }

    /// A link breaks at once, with a reason of the core's own.
    pub(super) fn exit_by_link(&mut self, from: ProcessId, to: ProcessId, reason: SystemReason) {
        self.deliver_exit(from, to, true, ExitClass::Crash, Death::System(reason));
    }
}
