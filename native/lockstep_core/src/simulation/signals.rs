//! Signals under way, their delivery, and the ends of processes.

use std::collections::{BTreeSet, VecDeque};

use super::connections::Way;
use super::due::Due;
use super::{Ready, Simulation, Turn};
use crate::causality::Thing;
use crate::ids::{MAIN, MessageId, NodeId, ProcessId, RefId};
use crate::network::{Channel, ChannelKey, ChannelState, Content, Network, Packet};
use crate::op::{Death, ExitClass, Item, Notice, Op, PartitionMode, SystemReason, Target};
use crate::process::{Process, State};
use crate::trace::Kind;

impl Simulation {
    /// Whether a message from one node to another is taken on at all; if need be the nodes begin to connect.
    pub(super) fn can_send(&mut self, from: NodeId, to: NodeId) -> bool {
        match self.network.connections.cut(from, to).map(|cut| cut.mode) {
            Some(PartitionMode::Drop) => false,
            Some(PartitionMode::Defer) => self.network.node(to).up,
            _ => self.way(from, to) != Way::Closed,
        }
    }

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
    fn lost(&mut self, key: ChannelKey, packet: &Packet) {
        match packet.content {
            Content::Message(_) => self.event(None, Kind::Lost, packet.id.0, u64::from(key.from.0)),
            Content::Birth { child, .. } => self.stillborn(child),
            _ => {}
        }
    }

    /// A process that was asked for is never started. Its real counterpart is there already, and has to go.
    fn stillborn(&mut self, child: ProcessId) {
        if let Some(entry) = self.living(child) {
            entry.links.clear();
            entry.watched_by.clear();
            self.kill(child, Death::System(SystemReason::Noconnection), ExitClass::Normal);
        }
    }

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

    fn reopen_channel(&mut self, key: ChannelKey, packets: VecDeque<Packet>) {
        let state = ChannelState::Idle;
        self.network.channels.insert(key, Channel { packets, state });
        self.activate(key);
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

    /// The process that is reached under an address now.
    pub(super) fn receiver(&self, target: Target) -> Option<ProcessId> {
        match target {
            Target::Process(process) => Some(process),
            Target::Name(node, name) => self.network.node(node).names.get(&name).copied(),
            Target::Alias(reference) => self.aliases.get(&reference).map(|alias| alias.owner),
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

    /// A process on another node gives one here a group leader.
    fn deliver_leader(&mut self, id: MessageId, from: ProcessId, to: ProcessId) {
        self.touch(Thing::World, true);
        self.event(Some(to), Kind::Led, id.0, u64::from(from.0));
        if let Some(entry) = self.living(to) {
            entry.led = Some(id);
        }
    }

    /// A process that was asked for begins.
    fn deliver_birth(&mut self, child: ProcessId, parent: ProcessId, reference: RefId, reply: bool, answer: MessageId) {
        if self.get(child).is_none_or(|entry| entry.state != State::Unborn) {
            return;
        }
        self.touch(Thing::Acts(child), true);
        self.causality.enabled(child);
        self.release(child, Op::Start);
        let content = Content::Spawned {
            reference,
            to: parent,
            reply,
        };
        self.post(child, parent, self.home(parent), answer, content, false);
    }

    fn deliver_spawned(&mut self, child: ProcessId, id: MessageId, reference: RefId, to: ProcessId, reply: bool) {
        let Some(entry) = self.living(to) else { return };
        if entry.requests.remove(&reference).is_none() || !self.alive(to) {
            return;
        }
        if self.apart(child, to) {
            self.event(Some(to), Kind::Spawned, id.0, u64::from(child.0));
        }
        if reply {
            self.drop_in(to, Item::Term(id));
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

    /// Whether what one process sends another is delivered in a step of its own. Otherwise the delivery is part of the
    /// sending and no event.
    pub(super) fn apart(&self, from: ProcessId, to: ProcessId) -> bool {
        self.home(from) != self.home(to) || (self.config.async_delivery && from != to)
    }

    fn deliver_message(&mut self, from: ProcessId, id: MessageId, target: Target) {
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

    pub(super) fn deliver_exit(&mut self, from: ProcessId, to: ProcessId, link: bool, class: ExitClass, death: Death) {
        self.touch_exit(from, to, link, class);
        let Some(process) = self.living(to) else { return };
        if link && !process.links.remove(&from) {
            return;
        }
        if class == ExitClass::Kill && !link {
            self.kill(to, Death::System(SystemReason::Killed), ExitClass::Crash);
        } else if process.trap_exit {
            let item = match death {
                Death::Signal(id) => Item::Term(id),
                Death::System(reason) => Item::Exit(from, reason),
            };
            self.drop_in(to, item);
        } else if class != ExitClass::Normal || (!link && from == to) {
            self.kill(to, death, class);
        }
    }

    fn release_from_queue(&mut self, process: ProcessId) {
        self.queue.remove(Ready::Run(process));
    }

    /// Kills a process: whatever it had announced never happens.
    pub(super) fn kill(&mut self, process: ProcessId, death: Death, class: ExitClass) {
        self.touch_stopped(process);
        if self.is_ending(process) {
            return;
        }
        let entry = self.expect(process);
        let before = std::mem::replace(&mut entry.state, State::Ending(class));
        if let Some(deadline) = entry.deadline.take() {
            self.clock.cancel(deadline);
        }
        if matches!(before, State::Enabled(_)) {
            self.release_from_queue(process);
        }
        self.doomed.push_back((process, death));
    }

    /// Sends the messages that tell of an inheritance. They come before the signals of links and monitors, as in the VM.
    pub(super) fn bequeath(&mut self, me: ProcessId, heirs: &[ProcessId]) -> Vec<Notice> {
        let mut notices = Vec::new();
        for &to in heirs {
            let id = self.next_message();
            let content = Content::Message(Target::Process(to));
            self.post(me, to, self.home(to), id, content, false);
            notices.push(Notice { to, id, monitor: None });
        }
        notices
    }

    /// Takes a process out of the world. Links come before monitors, as in the VM.
    pub(super) fn end(&mut self, me: ProcessId, class: ExitClass) -> Vec<Notice> {
        let stopped = !self.network.node(self.home(me)).up;
        self.turn = Turn::Reaping(me);
        let Some(process) = self.processes[me.0 as usize].take() else {
            return Vec::new();
        };
        self.touch_end(me, &process);
        self.forget(me, &process);
        self.just_ended.add(self.clock.now(), me, &process);
        let mut notices = Vec::new();
        // One that is dead itself has nobody left to read it.
        for to in process
            .links
            .into_iter()
            .filter(|&to| self.alive(to))
            .collect::<Vec<_>>()
        {
            let id = self.next_message();
            self.post(
                me,
                to,
                self.home(to),
                id,
                Content::Exit {
                    from: me,
                    to,
                    link: true,
                    class,
                },
                false,
            );
            notices.push(Notice { to, id, monitor: None });
        }
        for (reference, to) in process
            .watched_by
            .into_iter()
            .filter(|&(_, to)| self.alive(to))
            .collect::<Vec<_>>()
        {
            let id = self.next_message();
            self.post(me, to, self.home(to), id, Content::Down { reference, to }, false);
            notices.push(Notice {
                to,
                id,
                monitor: Some(reference),
            });
        }
        self.judge_end(me, class, stopped);
        notices
    }

    /// Removes what a process that has ended leaves behind elsewhere.
    fn forget(&mut self, me: ProcessId, process: &Process) {
        if let Some(name) = process.name {
            self.network.node_mut(process.node).names.remove(&name);
        }
        for (reference, &target) in &process.watching {
            if let Target::Process(watched) = target {
                if let Some(entry) = self.living(watched) {
                    entry.watched_by.remove(reference);
                }
            }
        }
        for &timer in &process.timers {
            self.drop_timer(timer);
        }
        for &suspended in process.suspending.keys() {
            self.lift(me, suspended);
        }
        for &suspender in &process.suspended_by {
            if let Some(entry) = self.living(suspender) {
                entry.suspending.remove(&me);
            }
        }
        for node in &mut self.network.nodes {
            node.watchers.retain(|watcher| watcher.process != me);
            node.subscribers.retain(|&(subscriber, _)| subscriber != me);
        }
        self.network.waiters.retain(|&(_, _, waiter, _)| waiter != me);
        self.aliases.retain(|_, alias| alias.owner != me);
    }
}
