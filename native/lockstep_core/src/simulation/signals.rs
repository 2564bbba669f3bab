//! Signals: how they are sent on their way, and what each does when it arrives.
//!
//! All that a process tells another is a signal: messages, links, monitors, ends. Those under way: see `channels.rs`.

use super::Simulation;
use super::connections::Way;
use crate::causality::Thing;
use crate::ids::{MessageId, NodeId, ProcessId, RefId};
use crate::network::{ChannelKey, ChannelState, Content, Network, Packet};
use crate::op::{Death, ExitClass, Grant, Item, PartitionMode, SystemReason, Target};
use crate::trace::Kind;

impl Simulation {
    /// Sends a signal to a process on its way.
    pub(super) fn post(
        &mut self,
        from: ProcessId,
        to: ProcessId,
        node: NodeId,
        id: MessageId,
        content: Content,
        instant: bool,
    ) {
        self.post_to(from, Target::Process(to), node, id, content, instant);
    }

    /// Sends a signal on its way; on the same node, and if `instant`, it arrives at once.
    pub(super) fn post_to(
        &mut self,
        sender: ProcessId,
        to: Target,
        node: NodeId,
        id: MessageId,
        content: Content,
        instant: bool,
    ) {
        let from = self.home(sender);
        let key = ChannelKey { from: sender, to };
        let apart = self.config.async_delivery && to != Target::Process(sender);
        if from == node && instant && !apart {
            return self.deliver(sender, id, content);
        }
        self.dispatch(key, (from, node), id, content);
    }

    /// Sends a signal from one node to another, or to a process of the same that is not told at once.
    fn dispatch(&mut self, key: ChannelKey, (from, node): (NodeId, NodeId), id: MessageId, content: Content) {
        let wired = Network::wired(from, node);
        let deferred = self.network.connections.cut(from, node).map(|cut| cut.mode) == Some(PartitionMode::Defer);
        let connection = if wired && !deferred {
            self.network.connections.number(from, node)
        } else {
            None
        };
        let cause = self.cause(key.to);
        let latency = if wired { self.latency(from, node) } else { 0 };
        let packet = Packet {
            id,
            from,
            to: node,
            arrives: self.clock.now().saturating_add(latency),
            content,
            connection,
            kept: deferred,
            cause,
        };
        if wired && !deferred && connection.is_none() {
            return self.lost(key, &packet);
        }
        let channel = self.network.channels.entry(key).or_default();
        channel.packets.push_back(packet);
        if channel.state == ChannelState::Idle {
            self.activate(key);
        }
    }

    /// A signal does not arrive.
    pub(super) fn lost(&mut self, key: ChannelKey, packet: &Packet) {
        match packet.content {
            Content::Message(_) => self.event(None, Kind::Lost, packet.id.0, u64::from(key.from.0)),
            Content::Birth { child, .. } => self.stillborn(child),
            _ => {}
        }
    }

    /// The process that is reached under an address now.
    pub(super) fn receiver(&self, target: Target) -> Option<ProcessId> {
        match target {
            Target::Process(process) => Some(process),
            Target::Name(node, name) => self.network.node(node).names.get(&name).copied(),
            Target::Alias(reference) => self.aliases.get(&reference).map(|alias| alias.owner),
        }
    }

    /// A signal takes effect.
    pub(super) fn deliver(&mut self, from: ProcessId, id: MessageId, content: Content) {
        if matches!(content, Content::Exit { link: true, .. } | Content::Down { .. }) {
            // The VM, too, forgets a process before it tells anybody of its end.
            self.just_ended.forget(from);
        }
        match content {
            Content::Message(target) => self.deliver_message(from, id, target),
            Content::Exit { from, to, link, class } => {
                if self.alive(to) && (link || self.apart(from, to)) {
                    self.event(Some(to), Kind::ExitSignal, id.0, u64::from(from.0));
                }
                self.deliver_exit(from, to, link, class, Death::Signal(id));
            }
            Content::Down { reference, to } => {
                if self.watches(to, reference) {
                    self.event(Some(to), Kind::Down, id.0, reference.0);
                }
                self.deliver_down(to, reference, Item::Term(id));
            }
            Content::TooLate { from, to, monitor } => self.deliver_too_late(id, from, to, monitor),
            Content::Link { from, to } => self.deliver_link(id, from, to),
            Content::Leader { to } => self.deliver_leader(id, from, to),
            Content::Unlink { from, to } => self.deliver_unlink(id, from, to),
            Content::Monitor { reference, from, to } => self.deliver_monitor(id, reference, from, to),
            Content::Birth {
                child,
                parent,
                reference,
                reply,
                answer,
            } => self.deliver_birth(child, parent, reference, reply, answer),
            Content::Spawned { reference, to, reply } => self.deliver_spawned(from, id, reference, to, reply),
        }
    }

    fn deliver_too_late(&mut self, id: MessageId, from: ProcessId, to: ProcessId, monitor: Option<RefId>) {
        match monitor {
            Some(reference) => {
                self.touch(Thing::Watch(reference), true);
                self.touch(Thing::Mailbox(to), true);
            }
            None => self.touch_exit(from, to, true, ExitClass::Crash),
        }
        if !self.alive(to) {
            return;
        }
        if let Some(reference) = monitor {
            self.event(Some(to), Kind::Down, id.0, reference.0);
            self.down(to, reference, SystemReason::Noproc);
        } else {
            self.event(Some(to), Kind::ExitSignal, id.0, u64::from(from.0));
            self.exit_by_link(from, to, SystemReason::Noproc);
        }
    }

    /// Answers a link, or with its reference a monitor, that came too late or that nobody was there for.
    pub(super) fn answer_too_late(&mut self, from: ProcessId, to: ProcessId, monitor: Option<RefId>) {
        self.answer_from(self.home(from), from, to, monitor);
    }

    pub(super) fn answer_from(&mut self, node: NodeId, from: ProcessId, to: ProcessId, monitor: Option<RefId>) {
        let id = self.next_message();
        let key = ChannelKey {
            from,
            to: Target::Process(to),
        };
        self.dispatch(key, (node, self.home(to)), id, Content::TooLate { from, to, monitor });
    }

    /// Gives a process of another node a group leader.
    pub(super) fn lead(&mut self, me: ProcessId, other: ProcessId) -> Grant {
        self.touch(Thing::World, true);
        let id = self.next_message();
        self.event(Some(me), Kind::Lead, id.0, u64::from(other.0));
        let away = self.home(other);
        if self.way(self.home(me), away) != Way::Closed && self.alive(other) {
            self.post(me, other, away, id, Content::Leader { to: other }, true);
        }
        Grant::Parked(id)
    }

    /// A process on another node gives one here a group leader.
    fn deliver_leader(&mut self, id: MessageId, from: ProcessId, to: ProcessId) {
        self.touch(Thing::World, true);
        self.event(Some(to), Kind::Led, id.0, u64::from(from.0));
        if let Some(entry) = self.living(to) {
            entry.led = Some(id);
        }
    }

    /// Whether what one process sends another is delivered in a step of its own. Otherwise the delivery is part of the
    /// sending and no event.
    pub(super) fn apart(&self, from: ProcessId, to: ProcessId) -> bool {
        self.home(from) != self.home(to) || (self.config.async_delivery && from != to)
    }
}
