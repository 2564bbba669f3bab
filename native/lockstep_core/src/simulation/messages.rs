//! Messages: from a process to whoever is reached under an address.
//!
//! A name of the sender's own node is looked up when the message is sent, one of another node when it arrives there.

use super::Simulation;
use super::connections::Way;
use crate::causality::Thing;
use crate::ids::{MessageId, NodeId, ProcessId};
use crate::network::Content;
use crate::op::{Grant, Item, PartitionMode, Refusal, Target};
use crate::trace::Kind;

impl Simulation {
    pub(super) fn send(&mut self, me: ProcessId, target: Target) -> Grant {
        let home = self.home(me);
        let to = match target {
            Target::Name(node, name) if node == home => {
                self.touch(Thing::Name(node, name), false);
                match self.network.node(home).names.get(&name) {
                    Some(&process) => Target::Process(process),
                    None => return self.told(me, Kind::Lost, 0, u64::MAX, Grant::Refused(Refusal::BadName)),
                }
            }
            target => target,
        };
        let (node, receiver) = match to {
            Target::Process(process) => (self.home(process), Some(process).filter(|&process| self.alive(process))),
            Target::Alias(reference) => {
                self.touch(Thing::Watch(reference), false);
                match self.aliases.get(&reference) {
                    Some(alias) => (self.home(alias.owner), Some(alias.owner)),
                    None => (self.home_of(to), None),
                }
            }
            Target::Name(node, _) => return self.send_to_remote_name(me, node, to),
        };
        let id = self.next_message();
        let number = receiver.map_or(u64::MAX, |receiver| u64::from(receiver.0));
        if !self.can_send(home, node) {
            return self.told(me, Kind::Lost, id.0, number, Grant::Done);
        }
        if let Target::Process(process) = to {
            self.touch_receiver(me, process);
        }
        let Some(receiver) = receiver else {
            return self.told(me, Kind::Lost, id.0, u64::MAX, Grant::Done);
        };
        self.event(Some(me), Kind::Send, id.0, number);
        self.post(me, receiver, node, id, Content::Message(to), true);
        self.has_sent(me, node);
        Grant::Sent(receiver, id)
    }

    /// Who has the name is known only when the message arrives, so its term waits in the store.
    fn send_to_remote_name(&mut self, me: ProcessId, node: NodeId, to: Target) -> Grant {
        let id = self.next_message();
        if !self.can_send(self.home(me), node) {
            return self.told(me, Kind::Lost, id.0, u64::MAX, Grant::Done);
        }
        self.event(Some(me), Kind::Send, id.0, u64::MAX);
        self.post_to(me, to, node, id, Content::Message(to), true);
        self.has_sent(me, node);
        Grant::Parked(id)
    }

    pub(super) fn send_if_connected(&mut self, me: ProcessId, target: Target) -> Grant {
        let (home, away) = (self.home(me), self.home_of(target));
        self.touch_way(home, away);
        if self.has_connection(home, away) {
            self.send(me, target)
        } else {
            self.told(me, Kind::Lost, 0, u64::MAX, Grant::Refused(Refusal::NodeDown))
        }
    }

    /// Whether a message from one node to another is taken on at all; if need be the nodes begin to connect.
    fn can_send(&mut self, from: NodeId, to: NodeId) -> bool {
        match self.network.connections.cut(from, to).map(|cut| cut.mode) {
            Some(PartitionMode::Drop) => false,
            Some(PartitionMode::Defer) => self.network.node(to).up,
            _ => self.way(from, to) != Way::Closed,
        }
    }

    pub(super) fn deliver_message(&mut self, from: ProcessId, id: MessageId, target: Target) {
        self.touch_target(target);
        let (receiver, item) = match target {
            Target::Process(process) => (Some(process), Item::Term(id)),
            Target::Name(node, name) => (self.network.node(node).names.get(&name).copied(), Item::Parked(id)),
            Target::Alias(reference) => (self.through_alias(reference), Item::Term(id)),
        };
        match receiver.filter(|&process| self.alive(process)) {
            Some(process) => {
                if self.apart(from, process) {
                    self.event(Some(process), Kind::Deliver, id.0, u64::from(from.0));
                }
                if let Target::Alias(alias) = target {
                    self.expect(process).aliased.push((alias, id));
                }
                self.drop_in(process, item);
            }
            None => self.event(None, Kind::Lost, id.0, u64::from(from.0)),
        }
    }
}
