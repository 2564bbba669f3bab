//! Channels: what is under way from a process to an address, in the order it was sent.
//!
//! Only the first packet of a channel can arrive. It waits for its time, for a cut to heal, for a connection, or for
//! its receiver's node to go on; then its delivery is an event like any other.

use std::collections::{BTreeSet, VecDeque};

use super::due::Due;
use super::{Ready, Simulation};
use crate::ids::{MAIN, MessageId, NodeId, ProcessId};
use crate::network::{Channel, ChannelKey, ChannelState, Network, Packet};
use crate::op::{PartitionMode, Target};

impl Simulation {
    /// Looks at a channel's first packet: when can it be delivered?
    pub(super) fn activate(&mut self, key: ChannelKey) {
        let channel = self.network.channels.get(&key);
        let Some(&packet) = channel.and_then(|channel| channel.packets.front()) else {
            self.network.channels.remove(&key);
            return;
        };
        let state = if packet.arrives > self.clock.now() {
            ChannelState::UnderWay(self.clock.set(packet.arrives, Due::Arrive(key)))
        } else if self.is_held(&packet) {
            ChannelState::Held
        } else {
            self.queue.push_back(Ready::Deliver(key));
            ChannelState::Enabled
        };
        if let Some(channel) = self.network.channels.get_mut(&key) {
            channel.state = state;
        }
    }

    /// Looks at all channels again that are held back.
    pub(super) fn activate_held(&mut self) {
        let channels = self.network.channels.iter();
        let held = channels.filter(|(_, channel)| channel.state == ChannelState::Held);
        for key in held.map(|(&key, _)| key).collect::<Vec<_>>() {
            self.activate(key);
        }
    }

    /// Whether a packet waits: behind a cut, for a connection, or because its receiver's node is paused.
    fn is_held(&self, packet: &Packet) -> bool {
        if self.network.node(packet.to).paused.is_some() {
            return true;
        }
        if !Network::wired(packet.from, packet.to) {
            return false;
        }
        if self.config.node_order && self.has_earlier(packet) {
            return true;
        }
        let connections = &self.network.connections;
        let cut = match connections.cut(packet.from, packet.to).map(|cut| cut.mode) {
            None => false,
            Some(PartitionMode::Drop) => packet.kept || !packet.content.can_be_lost(),
            Some(_) => true,
        };
        let setup = connections
            .get(packet.from, packet.to)
            .and_then(|connection| connection.setup);
        cut || (packet.connection.is_some() && setup.map(|setup| setup.number) == packet.connection)
    }

    /// Whether something that was sent before is still under way between the same nodes.
    fn has_earlier(&self, packet: &Packet) -> bool {
        let mut firsts = self
            .network
            .channels
            .values()
            .filter_map(|channel| channel.packets.front());
        firsts.any(|first| first.way() == packet.way() && first.id < packet.id)
    }

    /// Whether a packet that is not held gets there: its connection is still there, and nothing drops it.
    fn gets_there(&self, packet: &Packet) -> bool {
        if packet.kept || !Network::wired(packet.from, packet.to) {
            return self.network.node(packet.to).up;
        }
        let connections = &self.network.connections;
        let dropped = connections.cut(packet.from, packet.to).is_some();
        !dropped && connections.number(packet.to, packet.from) == packet.connection
    }

    /// Delivers a channel's first packet, unless something has come between.
    pub(super) fn deliver_first(&mut self, key: ChannelKey) {
        let Some(channel) = self.network.channels.get_mut(&key) else {
            return;
        };
        let Some(packet) = channel.packets.pop_front() else {
            return;
        };
        // It is in the queue no longer.
        channel.state = ChannelState::Held;
        if self.is_held(&packet) {
            let channel = self.network.channels.entry(key).or_default();
            channel.packets.push_front(packet);
            return;
        }
        self.arrive(key, &packet);
        // What is brought forward may have looked at this channel already, and put it back.
        let channel = self.network.channels.get(&key);
        if channel.is_some_and(|channel| channel.state == ChannelState::Held) {
            self.activate(key);
        }
    }

    fn arrive(&mut self, key: ChannelKey, packet: &Packet) {
        if !self.gets_there(packet) {
            return self.lost(key, packet);
        }
        if packet.connection.is_some() {
            self.network.connections.side_mut(packet.to, packet.from).heard = self.clock.now();
        }
        self.bring_forward(key, packet.to, packet.id);
        self.deliver(key.from, packet.id, packet.content);
    }

    /// Delivers what the same sender sent to the same node before `id`, as far as names are involved: to any name, or to
    /// the same process by its pid if `key` is a name of it. Whose a name is shows only on arrival, so a stream to a
    /// name and one to a pid may end at one process, and there nothing must have overtaken anything.
    fn bring_forward(&mut self, key: ChannelKey, node: NodeId, id: MessageId) {
        let receiver = self.receiver(key.to);
        let concerned = |way: &ChannelKey| match way.to {
            Target::Name(home, _) => home == node,
            Target::Process(process) => matches!(key.to, Target::Name(..)) && receiver == Some(process),
            Target::Alias(_) => false,
        };
        let first = ChannelKey {
            from: key.from,
            to: Target::Process(MAIN),
        };
        let ways = self.network.channels.range(first..);
        let ways = ways.take_while(|(way, _)| way.from == key.from);
        let ways: Vec<_> = ways
            .map(|(&way, _)| way)
            .filter(|way| *way != key && concerned(way))
            .collect();
        let mut earlier = Vec::new();
        for way in ways {
            let (before, after): (VecDeque<_>, _) =
                self.close_channel(way).into_iter().partition(|packet| packet.id < id);
            earlier.extend(before.into_iter().map(|packet| (way, packet)));
            self.reopen_channel(way, after);
        }
        earlier.sort_unstable_by_key(|(_, packet)| packet.id);
        for (way, packet) in earlier {
            self.arrive(way, &packet);
        }
    }

    /// Delivers whatever one process has sent to another of its node.
    pub(super) fn arrive_all(&mut self, from: ProcessId, to: ProcessId) {
        let node = self.home(to);
        // What a process has sent itself is there already; the answer that there is nobody to watch comes from elsewhere.
        if from == to || node != self.home(from) {
            return;
        }
        let key = ChannelKey {
            from,
            to: Target::Process(to),
        };
        for packet in self.close_channel(key) {
            self.bring_forward(key, node, packet.id);
            self.deliver(from, packet.id, packet.content);
        }
        let next = MessageId(self.messages + 1);
        self.bring_forward(key, node, next);
    }

    /// All that is under way.
    pub(super) fn packets(&self) -> impl Iterator<Item = &Packet> {
        self.network.channels.values().flat_map(|channel| &channel.packets)
    }

    /// Loses what is under way and fits.
    pub(super) fn lose(&mut self, which: impl Fn(&Packet) -> bool) {
        for (key, packet) in self.take_packets(which) {
            self.lost(key, &packet);
        }
    }

    /// Everything under way from and to a node is lost; who waits for a signal that is among it is to be told otherwise.
    pub(super) fn lose_all(&mut self, node: NodeId) {
        let touches = |channel: &Channel| {
            channel
                .packets
                .iter()
                .any(|packet| packet.from == node || packet.to == node)
        };
        let lost: Vec<_> = self
            .network
            .channels
            .iter()
            .filter(|(_, channel)| touches(channel))
            .map(|(key, _)| *key)
            .collect();
        for key in lost {
            for packet in self.close_channel(key) {
                self.lost(key, &packet);
            }
        }
    }

    /// Delivers what is under way and fits, in the order it was sent.
    pub(super) fn deliver_all(&mut self, which: impl Fn(&Packet) -> bool) {
        for (key, packet) in self.take_packets(which) {
            self.arrive(key, &packet);
        }
    }

    /// Takes what fits out of the channels, in the order it was sent.
    fn take_packets(&mut self, which: impl Fn(&Packet) -> bool) -> Vec<(ChannelKey, Packet)> {
        let channels = self.network.channels.iter();
        let concerned = channels.filter(|(_, channel)| channel.packets.iter().any(&which));
        let mut taken = Vec::new();
        for key in concerned.map(|(&key, _)| key).collect::<Vec<_>>() {
            let (fit, left): (VecDeque<_>, _) = self.close_channel(key).into_iter().partition(&which);
            taken.extend(fit.into_iter().map(|packet| (key, packet)));
            self.reopen_channel(key, left);
        }
        taken.sort_unstable_by_key(|(_, packet)| packet.id);
        taken
    }

    /// Delivers all that partitions kept back, in the order it was sent. What was sent before a partition and is still
    /// under way goes with it, so that no stream is reordered. What a silent network kept back comes when it comes.
    pub(super) fn deliver_kept_back(&mut self, healed: &[(NodeId, NodeId, PartitionMode)]) {
        let mode = |packet: &Packet| {
            let cut = healed
                .iter()
                .find(|(from, to, _)| (*from, *to) == (packet.from, packet.to));
            cut.map(|&(_, _, mode)| mode)
        };
        let kept_back = |packet: &Packet| match mode(packet) {
            Some(PartitionMode::Defer) => true,
            Some(PartitionMode::Drop) => packet.kept || !packet.content.can_be_lost(),
            _ => false,
        };
        let streams: BTreeSet<_> = self
            .packets()
            .filter(|packet| kept_back(packet))
            .map(Packet::way)
            .collect();
        let goes_with = |packet: &Packet| self.config.node_order && streams.contains(&packet.way());
        let keeps = |channel: &Channel| {
            channel
                .packets
                .iter()
                .any(|packet| kept_back(packet) || goes_with(packet))
        };
        let channels = self.network.channels.iter().filter(|(_, channel)| keeps(channel));
        let mut packets = Vec::new();
        for key in channels.map(|(&key, _)| key).collect::<Vec<_>>() {
            packets.extend(self.close_channel(key).into_iter().map(|packet| (key, packet)));
        }
        packets.sort_unstable_by_key(|(_, packet): &(_, Packet)| packet.id);
        for (key, packet) in packets {
            self.arrive(key, &packet);
        }
    }

    /// Takes a channel away with all that is in it.
    fn close_channel(&mut self, key: ChannelKey) -> VecDeque<Packet> {
        let Some(channel) = self.network.channels.remove(&key) else {
            return VecDeque::new();
        };
        match channel.state {
            ChannelState::UnderWay(deadline) => self.clock.cancel(deadline),
            ChannelState::Enabled => self.queue.remove(Ready::Deliver(key)),
            ChannelState::Idle | ChannelState::Held => {}
        }
        channel.packets
    }

    fn reopen_channel(&mut self, key: ChannelKey, packets: VecDeque<Packet>) {
        let state = ChannelState::Idle;
        self.network.channels.insert(key, Channel { packets, state });
        self.activate(key);
    }
}
