//! Operations on the cluster: nodes and what is done to the network between them.

use super::connections::Way;
use super::due::Due;
use super::{Misuse, Simulation};
use crate::clock::Micros;
use crate::connection::{Cut, Pair};
use crate::ids::{CONTROL, NodeId, ProcessId, RefId, Symbol};
use crate::network::{Network, Node, Watcher};
use crate::op::{
    Death, DownReason, ExitClass, Grant, Item, Latency, NodeEvent, PartitionMode, Refusal, Scope, Setting, SystemReason,
};
use crate::trace::Kind;

impl Simulation {
    pub(super) fn partition(&mut self, me: ProcessId, groups: &[Vec<NodeId>], mode: PartitionMode) -> Grant {
        for (index, group) in groups.iter().enumerate() {
            for other in &groups[index + 1..] {
                self.cut_all(group, other, mode);
                self.cut_all(other, group, mode);
            }
        }
        self.told(me, Kind::Partition, groups.len() as u64, mode as u64, Grant::Done)
    }

    pub(super) fn cut_one_way(&mut self, me: ProcessId, from: &[NodeId], to: &[NodeId], mode: PartitionMode) -> Grant {
        self.cut_all(from, to, mode);
        self.told(me, Kind::Cut, from.len() as u64, mode as u64, Grant::Done)
    }

    fn cut_all(&mut self, from: &[NodeId], to: &[NodeId], mode: PartitionMode) {
        for &a in from {
            for &b in to {
                self.cut(a, b, mode);
            }
        }
    }

    /// The control node cannot be cut off.
    fn cut(&mut self, from: NodeId, to: NodeId, mode: PartitionMode) {
        if !Network::wired(from, to) {
            return;
        }
        let now = self.clock.now();
        let side = self.network.connections.side_mut(to, from);
        let since = side.cut.map_or(now, |cut| cut.since);
        side.cut = Some(Cut { mode, since });
        self.review_tick(to, from);
        self.review_flow(from, to);
    }

    pub(super) fn heal(&mut self, me: ProcessId, scope: Scope) -> Grant {
        self.event(Some(me), Kind::Heal, 0, 0);
        let ends = |pair: Pair| pair.ends();
        let pairs: Vec<_> = self.network.connections.pairs().map(ends).collect();
        let concerned = pairs.into_iter().filter(|&[a, b]| match scope {
            Scope::All => true,
            Scope::Node(node) => a == node || b == node,
            Scope::Between(one, two) => (a, b) == (one, two) || (a, b) == (two, one),
        });
        let concerned: Vec<_> = concerned.collect();
        let healed: Vec<_> = concerned.iter().flat_map(|&[a, b]| self.uncut(a, b)).collect();
        self.deliver_kept_back(&healed);
        for [a, b] in concerned {
            self.heal_pair(a, b, &healed);
        }
        self.activate_held();
        Grant::Done
    }

    /// Takes away what cuts two nodes off from each other; from where to where, and how.
    fn uncut(&mut self, a: NodeId, b: NodeId) -> Vec<(NodeId, NodeId, PartitionMode)> {
        let mut healed = Vec::new();
        for (from, to) in [(a, b), (b, a)] {
            let side = self.network.connections.side_mut(to, from);
            if side.cut.is_some_and(|cut| cut.mode != PartitionMode::Hold) {
                healed.extend(side.cut.take().map(|cut| (from, to, cut.mode)));
            }
        }
        healed
    }

    /// What was cut by a partition that loses or keeps messages is connected again, if it ever was connected; otherwise
    /// nothing connects by itself.
    fn heal_pair(&mut self, a: NodeId, b: NodeId, healed: &[(NodeId, NodeId, PartitionMode)]) {
        let documented = healed
            .iter()
            .any(|&(from, to, mode)| ((from, to) == (a, b) || (from, to) == (b, a)) && mode != PartitionMode::Tcp);
        let used = |at, other| self.network.connections.side(at, other).is_some_and(|side| side.used);
        if documented && (used(a, b) || used(b, a)) {
            self.join(a, b);
        }
        self.reconsider(a, b);
    }

    pub(super) fn release_messages(&mut self, me: ProcessId, from: &[NodeId], to: &[NodeId]) -> Grant {
        for (&a, &b) in from.iter().flat_map(|a| to.iter().map(move |b| (a, b))) {
            let side = self.network.connections.side_mut(b, a);
            if side.cut.is_some_and(|cut| cut.mode == PartitionMode::Hold) {
                side.cut = None;
                self.reconsider(a, b);
            }
        }
        self.activate_held();
        self.told(me, Kind::Release, from.len() as u64, to.len() as u64, Grant::Done)
    }

    pub(super) fn set_latency(&mut self, me: ProcessId, between: Option<(NodeId, NodeId)>, latency: Latency) -> Grant {
        let most = latency.0.iter().map(|&(_, _, max)| max).max();
        match between {
            None => self.latency = latency,
            Some((a, b)) => {
                self.network.connections.side_mut(a, b).latency = Some(latency.clone());
                self.network.connections.side_mut(b, a).latency = Some(latency);
            }
        }
        self.told(me, Kind::SetLatency, most.unwrap_or(0), 0, Grant::Done)
    }

    /// A partition that lasts already is noticed so long after it began, at the earliest now.
    pub(super) fn set_tick_time(&mut self, me: ProcessId, time: Micros) -> Grant {
        self.tick_time = time;
        self.net_tick_time = time;
        self.review_ticks();
        self.told(me, Kind::SetTickTime, time, 0, Grant::Done)
    }

    fn review_ticks(&mut self) {
        let pairs: Vec<_> = self.network.connections.pairs().collect();
        for [a, b] in pairs.into_iter().map(Pair::ends) {
            self.review_tick(a, b);
            self.review_tick(b, a);
        }
    }

    /// Breaks what ties a process to those of another node, living or dead, as far as it concerns the process itself, and
    /// tells it if it watches that node: all who do, or those that hear of lost connections. Links come first; monitors,
    /// that of the node among them, in the order in which they were set.
    pub(super) fn sever(&mut self, process: ProcessId, node: NodeId, reason: SystemReason, all: bool) {
        self.give_up_requests(process, node);
        let Some(entry) = self.get(process) else { return };
        let links = entry.links.iter().copied();
        let links: Vec<_> = links.filter(|&other| self.home(other) == node).collect();
        let watching = entry.watching.iter();
        let watching = watching.filter(|&(_, &target)| self.home_of(target) == node);
        let watching: Vec<_> = watching.map(|(&reference, _)| reference).collect();
        for other in links {
            self.exit_by_link(other, process, reason);
        }
        let mut watchers = self.take_watchers(node, |watcher| watcher.process == process && (all || watcher.lost));
        watchers.sort_by_key(|watcher| watcher.since);
        let mut watchers = watchers.into_iter().peekable();
        for reference in watching {
            while let Some(watcher) = watchers.next_if(|watcher| watcher.since < Some(reference)) {
                self.tell_watcher(watcher, node);
            }
            self.down(process, reference, reason);
        }
        for watcher in watchers {
            self.tell_watcher(watcher, node);
        }
    }

    fn take_watchers(&mut self, node: NodeId, which: impl Fn(&Watcher) -> bool) -> Vec<Watcher> {
        let watchers = &mut self.network.node_mut(node).watchers;
        let (taken, left) = std::mem::take(watchers).into_iter().partition(which);
        *watchers = left;
        taken
    }

    fn tell_watcher(&mut self, watcher: Watcher, node: NodeId) {
        if self.alive(watcher.process) {
            self.drop_in(watcher.process, Item::NodeDown(node));
        }
    }

    /// Processes that were asked for on a node and not yet heard of have not been started, as far as one can tell.
    fn give_up_requests(&mut self, process: ProcessId, node: NodeId) {
        let Some(entry) = self.get(process) else { return };
        let requests = entry.requests.iter();
        let requests = requests.filter(|(_, request)| self.home(request.child) == node);
        let requests: Vec<_> = requests.map(|(&reference, &request)| (reference, request)).collect();
        for (reference, request) in requests {
            let entry = self.expect(process);
            entry.requests.remove(&reference);
            entry.links.remove(&request.child);
            self.unwatch(process, reference);
            if request.failure {
                self.drop_in(process, Item::NotSpawned(request.id));
            }
        }
    }

    /// All processes of the node die at once; nothing that was under way from it or to it arrives.
    pub(super) fn stop_node(&mut self, me: ProcessId, node: NodeId) -> Grant {
        self.event(Some(me), Kind::StopNode, u64::from(node.0), 0);
        if node == CONTROL || !self.network.node(node).up {
            return Grant::Refused(Refusal::NodeDown);
        }
        self.lose_all(node);
        let victims = self.take_down(node);
        // Also those whose last signals have just been lost are told of here.
        for process in self.living_on(|home| home != node) {
            self.sever(process, node, SystemReason::Nodedown, true);
        }
        self.kill_all(&victims);
        for other in self.network.connections.neighbours(node) {
            self.drop_end(node, other);
            self.fail_set_up(Pair::new(node, other));
            self.stopped_for(other, node);
        }
        Grant::Done
    }

    /// A node that has been stopped is gone for another at once.
    fn stopped_for(&mut self, other: NodeId, node: NodeId) {
        let hidden = self.network.hidden(other, node);
        if let Some((_, connection)) = self.drop_end(other, node) {
            let down = Some(DownReason::ConnectionClosed);
            self.tell_subscribers(other, hidden, |shape| NodeEvent {
                node,
                down,
                connection,
                hidden,
                shape,
            });
        }
    }

    /// All processes of the node die at once. Of what it has sent a part arrives, or all, and then the others learn of its
    /// end.
    pub(super) fn crash_node(&mut self, me: ProcessId, node: NodeId, orderly: bool) -> Grant {
        self.event(Some(me), Kind::CrashNode, u64::from(node.0), 0);
        if node == CONTROL || !self.network.node(node).up {
            return Grant::Refused(Refusal::NodeDown);
        }
        let victims = self.take_down(node);
        for other in self.network.connections.neighbours(node) {
            self.fail_set_up(Pair::new(node, other));
            if let Some((number, _)) = self.drop_end(node, other) {
                self.lose(|packet| packet.connection == Some(number) && packet.to == node);
                if !orderly {
                    self.lose_tail(node, number);
                }
                self.announce_close(node, other, number);
            }
        }
        for process in self.living_on(|home| home == CONTROL) {
            self.sever(process, node, SystemReason::Noconnection, true);
        }
        self.kill_all(&victims);
        for watcher in self.take_watchers(node, |watcher| !watcher.lost) {
            self.tell_watcher(watcher, node);
        }
        Grant::Done
    }

    /// Takes a node out of the world, and its processes' ties with it; who has to be killed.
    fn take_down(&mut self, node: NodeId) -> Vec<ProcessId> {
        let entry = self.network.node_mut(node);
        entry.up = false;
        entry.paused = None;
        entry.names.clear();
        entry.subscribers.clear();
        self.network.waiters.retain(|&(from, ..)| from != node);
        self.drop_timers_of(node);
        let victims = self.living_on(|home| home == node);
        for &victim in &victims {
            let process = self.expect(victim);
            process.frozen = false;
            process.pauses = 0;
            process.name = None;
            process.links.clear();
            process.watched_by.clear();
        }
        for other in self.network.connections.neighbours(node) {
            self.reconsider(node, other);
        }
        victims
    }

    fn kill_all(&mut self, victims: &[ProcessId]) {
        for &victim in victims {
            self.kill(victim, Death::System(SystemReason::Killed), ExitClass::Crash);
        }
    }

    /// Starts a node. It is connected to all others that are up and not cut off, if it is to be.
    pub(super) fn start_node(&mut self, me: ProcessId, name: Symbol, connect: bool) -> Grant {
        let Ok(node) = self.unknown_node(name) else {
            return self.told(me, Kind::StartNode, u64::MAX, 0, Grant::Refused(Refusal::NodeDown));
        };
        self.event(Some(me), Kind::StartNode, u64::from(node.0), 0);
        if !self.network.node(node).up {
            let next = ProcessId(self.homes.len() as u32);
            self.network.node_mut(node).boot(next);
            for other in self.network.connections.neighbours(node) {
                self.network.connections.side_mut(node, other).used = false;
            }
        }
        let others: Vec<_> = (1..self.network.nodes.len())
            .map(|index| NodeId(index as u16))
            .collect();
        let cut = |other| {
            let connections = &self.network.connections;
            connections.cut(node, other).is_some() || connections.cut(other, node).is_some()
        };
        let others: Vec<_> = others.into_iter().filter(|&other| connect && !cut(other)).collect();
        for other in others {
            self.join(node, other);
        }
        Grant::Node(node)
    }

    pub(super) fn join_nodes(&mut self, me: ProcessId, a: NodeId, b: NodeId) -> Grant {
        self.event(Some(me), Kind::Join, u64::from(a.0), u64::from(b.0));
        let cut = |from, to| self.network.connections.cut(from, to).is_some();
        if !cut(a, b) && !cut(b, a) {
            self.join(a, b);
        }
        Grant::Bool(self.network.connected(a, b))
    }

    /// The number of a node that is spoken of, whether or not it was ever started.
    pub fn unknown_node(&mut self, name: Symbol) -> Result<NodeId, Misuse> {
        if let Some(node) = self.node_id(name) {
            return Ok(node);
        }
        let number = u16::try_from(self.network.nodes.len()).map_err(|_| Misuse::BadArgument("too many nodes"))?;
        self.network.nodes.push(Node::new(name));
        Ok(NodeId(number))
    }

    pub(super) fn configure(&mut self, me: ProcessId, node: NodeId, setting: Setting) -> Grant {
        let entry = self.network.node_mut(node);
        match setting {
            Setting::Hidden(hidden) => entry.hidden = hidden,
            Setting::Alive(true) => entry.alive = true,
            Setting::Alive(false) => self.leave(node),
            Setting::AutoConnect(when) => entry.auto_connect = when,
            Setting::Allow(nodes) => entry.allowed.get_or_insert_default().extend(nodes),
            Setting::Cookie(None, cookie) => entry.cookie = cookie,
            Setting::Cookie(Some(other), cookie) => {
                entry.cookies.insert(other, cookie);
            }
            Setting::Tick(time, intensity) => {
                entry.tick_time = Some(time);
                entry.tick_intensity = intensity.max(1);
                entry.phase = None;
                self.review_ticks();
            }
        }
        self.told(me, Kind::Configure, u64::from(node.0), 0, Grant::Done)
    }

    /// A node is no part of the distribution any more: it gives up its connections, and those it was about to make, in the
    /// same step, so that nothing on it can connect again in between.
    fn leave(&mut self, node: NodeId) {
        self.network.node_mut(node).alive = false;
        for other in self.network.connections.neighbours(node) {
            self.fail_set_up(Pair::new(node, other));
            self.hang_up(node, other);
        }
    }

    pub(super) fn monitor_node(&mut self, me: ProcessId, node: NodeId, lost: bool, on: bool) -> Grant {
        self.event(Some(me), Kind::MonitorNode, u64::from(node.0), u64::from(on));
        let home = self.home(me);
        let watchers = &mut self.network.nodes[usize::from(node.0)].watchers;
        let before = watchers
            .iter()
            .position(|watcher| (watcher.process, watcher.lost) == (me, lost));
        if !on {
            before.map(|index| watchers.remove(index));
            return Grant::Bool(true);
        }
        let before = before.map(|index| watchers[index].since);
        let reachable = if lost {
            self.way(home, node) != Way::Closed
        } else {
            self.network.node(node).up
        };
        if node != home && !reachable {
            self.drop_in(me, Item::NodeDown(node));
        } else {
            self.watch_node(me, node, lost, before);
        }
        Grant::Bool(true)
    }

    /// A process that watches a node already does so once more: that counts from the first time.
    fn watch_node(&mut self, me: ProcessId, node: NodeId, lost: bool, before: Option<Option<RefId>>) {
        let latest = || self.get(me)?.watching.keys().next_back().copied();
        let since = before.unwrap_or_else(latest);
        let watcher = Watcher {
            process: me,
            lost,
            since,
        };
        self.network.node_mut(node).watchers.push(watcher);
    }

    // Pauses.

    /// Nothing happens on a node that is paused: what is sent there waits, and it is silent to the others.
    pub(super) fn pause_node(&mut self, me: ProcessId, node: NodeId, on: bool) -> Grant {
        self.event(Some(me), Kind::PauseNode, u64::from(node.0), u64::from(on));
        if node == CONTROL || !self.network.node(node).up {
            return Grant::Refused(Refusal::NodeDown);
        }
        if self.network.node(node).paused.is_some() == on {
            return Grant::Done;
        }
        self.network.node_mut(node).paused = on.then_some(self.clock.now());
        if on {
            self.put_off_timers(node);
        }
        for process in self.living_on(|home| home == node) {
            self.freeze(process, on);
        }
        for other in self.network.connections.neighbours(node) {
            self.reconsider(node, other);
        }
        if !on {
            for reference in std::mem::take(&mut self.network.node_mut(node).late) {
                self.fire_due(reference);
            }
            self.activate_held();
        }
        Grant::Done
    }

    pub(super) fn pause(&mut self, me: ProcessId, process: ProcessId, time: Micros) -> Grant {
        self.event(Some(me), Kind::Pause, u64::from(process.0), time);
        if !self.alive(process) {
            return Grant::Refused(Refusal::Noproc);
        }
        self.clock
            .set(self.clock.now().saturating_add(time), Due::Thaw(process));
        self.begin_pause(process);
        Grant::Done
    }
}
