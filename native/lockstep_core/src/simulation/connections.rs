//! Connections between nodes: how they come about, how they are lost, and who is told.

use super::due::Due;
use super::{Ready, Simulation};
use crate::causality::Thing;
use crate::clock::Micros;
use crate::connection::{Closing, ConnectionNumber, Cut, End, Pair, SETUP_TIME, SetUp};
use crate::ids::{NodeId, ProcessId, RefId};
use crate::network::Network;
use crate::op::{AutoConnect, DownReason, Grant, Item, Latency, NodeEvent, PartitionMode, Subscription, SystemReason};
use crate::trace::Kind;

/// How a signal gets from one node to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Through this connection; on one node and with the control node it needs none.
    Open(Option<ConnectionNumber>),
    /// Not at all.
    Closed,
}

impl Simulation {
    /// How a signal gets from one node to another. If need be the nodes begin to connect, and the signal waits for that.
    pub(super) fn way(&mut self, from: NodeId, to: NodeId) -> Way {
        if !Network::wired(from, to) {
            return if self.network.node(to).up {
                Way::Open(None)
            } else {
                Way::Closed
            };
        }
        match self.network.connections.number(from, to) {
            None if self.given_up(from, to) || !self.connects_by_itself(from, to) => Way::Closed,
            None => Way::Open(Some(self.set_up(from, to))),
            number => Way::Open(number),
        }
    }

    /// Whether a partition that loses or keeps what is sent has been noticed: then nobody tries to connect.
    fn given_up(&self, from: NodeId, to: NodeId) -> bool {
        let documented =
            |cut: Option<&Cut>| cut.is_some_and(|cut| matches!(cut.mode, PartitionMode::Drop | PartitionMode::Defer));
        let connections = &self.network.connections;
        documented(connections.cut(from, to)) || documented(connections.cut(to, from))
    }

    fn connects_by_itself(&self, from: NodeId, to: NodeId) -> bool {
        match self.network.node(from).auto_connect {
            _ if !self.network.node(from).alive => false,
            AutoConnect::Always => true,
            AutoConnect::Never => false,
            AutoConnect::Once => !self.network.connections.side(from, to).is_some_and(|side| side.used),
        }
    }

    /// Begins to connect, or joins the attempt that the other side has begun. Of two attempts at a time one is enough:
    /// on real nodes the other is aborted, and both sides are connected.
    fn set_up(&mut self, from: NodeId, to: NodeId) -> ConnectionNumber {
        self.touch(Thing::World, true);
        self.network.connections.side_mut(from, to).end = End::Pending;
        if let Some(setup) = self.network.connections.entry(from, to).setup {
            return setup.number;
        }
        let number = self.network.connections.next_number();
        let (pair, now) = (Pair::new(from, to), self.clock.now());
        let latency = self.latency(from, to);
        let setup = SetUp {
            number,
            fails: self.clock.set(now.saturating_add(SETUP_TIME), Due::SetUpFails(pair)),
            arrives: Some(self.clock.set(now.saturating_add(latency), Due::SetUp(pair))),
        };
        self.network.connections.entry(from, to).setup = Some(setup);
        number
    }

    /// How long something from one node to another is under way: a choice.
    pub(super) fn latency(&mut self, from: NodeId, to: NodeId) -> Micros {
        let set = self
            .network
            .connections
            .side(to, from)
            .and_then(|side| side.latency.as_ref());
        let Latency(ranges) = set.unwrap_or(&self.latency);
        let total = ranges.iter().map(|&(weight, ..)| weight).sum();
        let mut left = self.choices.fault(total);
        let within = ranges.iter().find(|&&(weight, ..)| {
            let here = left < weight;
            left = left.saturating_sub(weight);
            here
        });
        let (min, max) = within.map_or((0, 0), |&(_, min, max)| (min, max));
        min.saturating_add(self.choices.latency(max.saturating_sub(min)))
    }

    /// Whether nothing gets through between two nodes, in one direction at least.
    fn blocked(&self, a: NodeId, b: NodeId) -> bool {
        let cut = |from, to| {
            let cut = self.network.connections.cut(from, to);
            cut.is_some_and(|cut| cut.mode != PartitionMode::Hold)
        };
        let paused = |node| self.network.node(node).paused.is_some();
        cut(a, b) || cut(b, a) || paused(a) || paused(b)
    }

    /// The set-up of a connection has reached the other side.
    pub(super) fn set_up_arrives(&mut self, pair: Pair) {
        let [a, b] = pair.ends();
        let Some(setup) = self.network.connections.entry(a, b).setup.as_mut() else {
            return;
        };
        setup.arrives = None;
        let ready = Ready::Connect(pair);
        if !self.queue.contains(ready) {
            self.queue.push_back(ready);
        }
    }

    /// Answers a set-up. Where nothing gets through there is no answer.
    pub(super) fn answer_set_up(&mut self, pair: Pair) {
        let [a, b] = pair.ends();
        let Some(setup) = self.network.connections.entry(a, b).setup else {
            return;
        };
        if self.blocked(a, b) {
            return;
        }
        let (one, two) = (self.network.node(a), self.network.node(b));
        let accepted = one.cookie_for(b) == two.cookie_for(a) && one.allows(b) && two.allows(a);
        if one.up && two.up && one.alive && two.alive && accepted {
            self.clock.cancel(setup.fails);
            self.network.connections.entry(a, b).setup = None;
            self.establish(pair, setup.number);
        } else {
            self.fail_set_up(pair);
        }
    }

    /// Both ends are up. One that still has an old connection gives that up first.
    fn establish(&mut self, pair: Pair, number: ConnectionNumber) {
        let [a, b] = pair.ends();
        for (at, other) in [(a, b), (b, a)] {
            self.close_end(at, other, DownReason::WaitPending, SystemReason::Noconnection);
        }
        self.event(None, Kind::Connected, u64::from(a.0), u64::from(b.0));
        let (now, hidden) = (self.clock.now(), self.network.hidden(a, b));
        for (at, other) in [(a, b), (b, a)] {
            let node = self.network.node_mut(at);
            node.connections += 1;
            let id = node.connections;
            let side = self.network.connections.side_mut(at, other);
            side.end = End::Up { number, id };
            side.used = true;
            side.heard = now;
            side.closing = None;
            let event = |shape| NodeEvent {
                node: other,
                down: None,
                connection: id,
                hidden,
                shape,
            };
            self.tell_subscribers(at, hidden, event);
            self.answer_waiters(at, other, true);
            self.review_tick(at, other);
            self.review_flow(at, other);
        }
        self.activate_held();
    }

    /// Connects two nodes at once, without any message.
    pub(super) fn join(&mut self, a: NodeId, b: NodeId) {
        let there = |node: NodeId| self.network.node(node).up && self.network.node(node).alive;
        let both_up = there(a) && there(b);
        if !Network::wired(a, b) || !both_up || (self.network.connected(a, b) && self.network.connected(b, a)) {
            return;
        }
        let number = self.network.connections.next_number();
        if let Some(setup) = self.take_set_up(Pair::new(a, b)) {
            self.rename_packets(setup.number, number);
        }
        self.establish(Pair::new(a, b), number);
    }

    /// What waits for one connection goes through another.
    fn rename_packets(&mut self, from: ConnectionNumber, to: ConnectionNumber) {
        let packets = self
            .network
            .channels
            .values_mut()
            .flat_map(|channel| &mut channel.packets);
        for packet in packets.filter(|packet| packet.connection == Some(from)) {
            packet.connection = Some(to);
        }
    }

    fn take_set_up(&mut self, pair: Pair) -> Option<SetUp> {
        let [a, b] = pair.ends();
        let setup = self.network.connections.entry(a, b).setup.take()?;
        self.clock.cancel(setup.fails);
        if let Some(arrives) = setup.arrives {
            self.clock.cancel(arrives);
        }
        self.queue.remove(Ready::Connect(pair));
        Some(setup)
    }

    /// A set-up is refused, or nobody has answered it in time.
    pub(super) fn fail_set_up(&mut self, pair: Pair) {
        let Some(setup) = self.take_set_up(pair) else { return };
        let [a, b] = pair.ends();
        for (at, other) in [(a, b), (b, a)] {
            let side = self.network.connections.side_mut(at, other);
            if side.end == End::Pending {
                side.end = End::Down;
                self.review_flow(at, other);
                self.event(None, Kind::Refused, u64::from(at.0), u64::from(other.0));
                self.lose(|packet| packet.connection == Some(setup.number) && packet.from == at);
                self.break_ties(at, other, SystemReason::Noconnection);
                self.answer_waiters(at, other, false);
            }
        }
    }

    /// One end of a connection is gone: its node knows it. What was under way to it is lost, and what it has sent as far
    /// as that is behind a cut.
    pub(super) fn close_end(&mut self, at: NodeId, other: NodeId, reason: DownReason, tie: SystemReason) -> bool {
        let Some((number, id)) = self.drop_end(at, other) else {
            return false;
        };
        self.event(None, Kind::Disconnected, u64::from(at.0), u64::from(other.0));
        let behind_cut = self.network.connections.cut(at, other).is_some();
        self.lose(|packet| packet.connection == Some(number) && (packet.to == at || (packet.from == at && behind_cut)));
        self.break_ties(at, other, tie);
        let hidden = self.network.hidden(at, other);
        let event = |shape| NodeEvent {
            node: other,
            down: Some(reason),
            connection: id,
            hidden,
            shape,
        };
        self.tell_subscribers(at, hidden, event);
        true
    }

    /// Takes an end down without telling anybody.
    pub(super) fn drop_end(&mut self, at: NodeId, other: NodeId) -> Option<(ConnectionNumber, u32)> {
        let End::Up { number, id } = self.network.connections.end(at, other) else {
            return None;
        };
        let side = self.network.connections.side_mut(at, other);
        side.end = End::Down;
        if let Some(tick) = side.tick.take() {
            self.clock.cancel(tick);
        }
        self.review_flow(at, other);
        Some((number, id))
    }

    /// All ties between the processes of a node and those of another break, as far as the first are concerned.
    fn break_ties(&mut self, at: NodeId, other: NodeId, reason: SystemReason) {
        for process in self.living_on(|home| home == at) {
            self.sever(process, other, reason, false);
        }
    }

    /// One end has closed a connection: the other will hear of it after all that was sent before.
    pub(super) fn announce_close(&mut self, at: NodeId, other: NodeId, number: ConnectionNumber) {
        if !matches!(self.network.connections.end(other, at), End::Up { number: theirs, .. } if theirs == number) {
            return;
        }
        let due = self.clock.now().saturating_add(self.latency(at, other));
        let arrives = Some(self.clock.set(due, Due::Close(other, at)));
        self.network.connections.side_mut(other, at).closing = Some(Closing { number, arrives });
    }

    /// What a node has sent last is lost when its end of a connection is torn down: how much is a choice.
    pub(super) fn lose_tail(&mut self, from: NodeId, number: ConnectionNumber) {
        let mut tail: Vec<_> = self
            .packets()
            .filter(|packet| packet.connection == Some(number) && packet.from == from)
            .map(|packet| packet.id)
            .collect();
        tail.sort_unstable();
        let lost = self.choices.latency(tail.len() as u64) as usize;
        let gone = tail.split_off(tail.len() - lost);
        self.lose(|packet| gone.binary_search(&packet.id).is_ok());
    }

    /// The news that the other side has closed a connection is there.
    pub(super) fn close_arrives(&mut self, at: NodeId, other: NodeId) {
        if let Some(closing) = &mut self.network.connections.side_mut(at, other).closing {
            closing.arrives = None;
            let ready = Ready::Close(at, other);
            if !self.queue.contains(ready) {
                self.queue.push_back(ready);
            }
        }
    }

    /// The other side has closed the connection. All that came before is delivered first.
    pub(super) fn closed_by_other(&mut self, at: NodeId, other: NodeId) {
        let Some(Closing { number, .. }) = self.network.connections.side(at, other).and_then(|side| side.closing)
        else {
            return;
        };
        let unheard = self.network.connections.cut(other, at).is_some() || self.network.node(at).paused.is_some();
        if unheard {
            return;
        }
        self.network.connections.side_mut(at, other).closing = None;
        if self.network.connections.number(at, other) == Some(number) {
            self.deliver_all(|packet| packet.connection == Some(number) && packet.to == at);
            self.close_end(at, other, DownReason::ConnectionClosed, SystemReason::Noconnection);
        }
    }

    /// Everything between two nodes that waited for a cut to heal, or for a node to go on, is looked at again.
    pub(super) fn reconsider(&mut self, a: NodeId, b: NodeId) {
        for (at, other) in [(a, b), (b, a)] {
            self.review_tick(at, other);
            self.review_flow(at, other);
            let closing = self.network.connections.side(at, other).and_then(|side| side.closing);
            if closing.is_some_and(|closing| closing.arrives.is_none()) {
                self.close_arrives(at, other);
            }
        }
        let setup = self.network.connections.entry(a, b).setup;
        if setup.is_some_and(|setup| setup.arrives.is_none()) {
            self.set_up_arrives(Pair::new(a, b));
        }
    }

    // What processes ask for.

    pub(super) fn connect(&mut self, me: ProcessId, node: NodeId, reference: RefId) -> Grant {
        let home = self.home(me);
        self.event(Some(me), Kind::Connect, u64::from(node.0), 0);
        if !Network::wired(home, node) {
            return Grant::Bool(self.network.node(node).up);
        }
        if self.network.connected(home, node) {
            return Grant::Bool(true);
        }
        if self.network.connections.number(home, node).is_none() {
            self.set_up(home, node);
        }
        self.network.waiters.push((home, node, me, reference));
        Grant::Done
    }

    fn answer_waiters(&mut self, at: NodeId, other: NodeId, connected: bool) {
        let (answered, left) = std::mem::take(&mut self.network.waiters)
            .into_iter()
            .partition(|&(from, to, ..)| (from, to) == (at, other));
        self.network.waiters = left;
        for (_, _, process, reference) in Vec::from_iter::<Vec<_>>(answered) {
            if self.alive(process) {
                self.drop_in(process, Item::Connected(reference, connected));
            }
        }
    }

    /// The caller's side knows at once, with all that follows from it; the other learns of it.
    pub(super) fn disconnect(&mut self, me: ProcessId, from: NodeId, node: NodeId) -> Grant {
        self.event(Some(me), Kind::Disconnect, u64::from(from.0), u64::from(node.0));
        Grant::Bool(self.hang_up(from, node))
    }

    /// Tears down the connection to another node, if there is one.
    pub(super) fn hang_up(&mut self, from: NodeId, node: NodeId) -> bool {
        let End::Up { number, .. } = self.network.connections.end(from, node) else {
            return false;
        };
        self.close_end(from, node, DownReason::Disconnect, SystemReason::Noconnection);
        self.lose_tail(from, number);
        self.announce_close(from, node, number);
        true
    }

    pub(super) fn monitor_nodes(&mut self, me: ProcessId, subscription: Subscription, on: bool) -> Grant {
        self.event(
            Some(me),
            Kind::MonitorNodes,
            u64::from(subscription.shape),
            u64::from(on),
        );
        let home = self.home(me);
        let subscribers = &mut self.network.node_mut(home).subscribers;
        let count = subscribers.iter().filter(|&&entry| entry == (me, subscription)).count();
        if on {
            subscribers.push((me, subscription));
        } else {
            subscribers.retain(|&entry| entry != (me, subscription));
        }
        Grant::Count(count as u32)
    }

    /// Tells who wants to hear of nodes, each once for each time it said so.
    pub(super) fn tell_subscribers(&mut self, at: NodeId, hidden: bool, event: impl Fn(u32) -> NodeEvent) {
        let all = self.network.node(at).subscribers.clone();
        for (process, subscription) in all {
            let wanted = if hidden {
                subscription.hidden
            } else {
                subscription.visible
            };
            if wanted && self.alive(process) {
                self.drop_in(process, Item::Node(event(subscription.shape)));
            }
        }
    }
}
