//! Operations on the cluster: nodes and the cuts between them.

use super::{Due, Simulation};
use crate::clock::Micros;
use crate::ids::{CONTROL, NodeId, ProcessId, Symbol};
use crate::network::{Cut, Node, Pair, PartitionMode};
use crate::op::{Death, Grant, Item, Refusal, SystemReason};
use crate::trace::Kind;

impl Simulation {
    pub(super) fn partition(&mut self, me: ProcessId, groups: &[Vec<NodeId>], mode: PartitionMode) -> Grant {
        for (index, group) in groups.iter().enumerate() {
            for other in &groups[index + 1..] {
                for (&a, &b) in group.iter().flat_map(|a| other.iter().map(move |b| (a, b))) {
                    self.cut(a, b, mode);
                }
            }
        }
        self.told(me, Kind::Partition, groups.len() as u64, mode as u64, Grant::Done)
    }

    /// The control node cannot be cut off.
    fn cut(&mut self, a: NodeId, b: NodeId, mode: PartitionMode) {
        if a == b || a == CONTROL || b == CONTROL {
            return;
        }
        let (pair, now) = (Pair::new(a, b), self.clock.now());
        match self.network.cuts.get_mut(&pair) {
            Some(cut) => cut.mode = mode,
            None => {
                let tick = Some(self.clock.set(now.saturating_add(self.tick_time), Due::Tick(pair)));
                self.network.cuts.insert(pair, Cut { mode, since: now, noticed: false, tick });
            }
        }
    }

    pub(super) fn heal(&mut self, me: ProcessId) -> Grant {
        self.event(Some(me), Kind::Heal, 0, 0);
        let cuts = std::mem::take(&mut self.network.cuts);
        for tick in cuts.values().filter_map(|cut| cut.tick) {
            self.clock.cancel(tick);
        }
        self.deliver_held(&cuts);
        Grant::Done
    }

    /// A partition that lasts already is noticed so long after it began, at the earliest now.
    pub(super) fn set_tick_time(&mut self, me: ProcessId, time: Micros) -> Grant {
        self.tick_time = time;
        for (pair, cut) in &mut self.network.cuts {
            if let Some(tick) = cut.tick.take() {
                self.clock.cancel(tick);
                cut.tick = Some(self.clock.set(cut.since.saturating_add(time), Due::Tick(*pair)));
            }
        }
        self.told(me, Kind::SetTickTime, time, 0, Grant::Done)
    }

    /// The tick time has passed: each side gives the other up.
    pub(super) fn notice_cut(&mut self, pair: Pair) {
        let Some(cut) = self.network.cuts.get_mut(&pair) else { return };
        cut.noticed = true;
        cut.tick = None;
        let (a, b) = pair.ends();
        self.event(None, Kind::Tick, u64::from(a.0), u64::from(b.0));
        for process in self.living_on(a) {
            self.sever(process, b);
        }
        for process in self.living_on(b) {
            self.sever(process, a);
        }
        self.tell_watchers(a, |home, lost| home == b && lost);
        self.tell_watchers(b, |home, lost| home == a && lost);
    }

    /// Breaks what ties a process to those of another node, as far as it concerns the process itself.
    fn sever(&mut self, process: ProcessId, node: NodeId) {
        let Some(entry) = self.get(process) else { return };
        let links: Vec<_> = entry.links.iter().copied().filter(|&other| self.home(other) == node).collect();
        let watching: Vec<_> = entry
            .watching
            .iter()
            .filter(|(_, target)| matches!(target, crate::op::Target::Process(other) if self.home(*other) == node))
            .map(|(&reference, _)| reference)
            .collect();
        for other in links {
            self.exit_by_link(other, process, SystemReason::Noconnection);
        }
        for reference in watching {
            self.down(process, reference, SystemReason::Noconnection);
        }
    }

    /// Tells the watchers of a node that it is down, each once for each time it asked.
    fn tell_watchers(&mut self, node: NodeId, concerned: impl Fn(NodeId, bool) -> bool) {
        let watchers = std::mem::take(&mut self.network.node_mut(node).watchers);
        for (watcher, lost) in watchers {
            if concerned(self.home(watcher), lost) {
                if self.alive(watcher) {
                    self.drop_in(watcher, Item::NodeDown(node));
                }
            } else {
                self.network.node_mut(node).watchers.push((watcher, lost));
            }
        }
    }

    /// All processes of the node die at once; nothing that was under way from it or to it arrives.
    pub(super) fn stop_node(&mut self, me: ProcessId, node: NodeId) -> Grant {
        self.event(Some(me), Kind::StopNode, u64::from(node.0), 0);
        if node == CONTROL || !self.network.node(node).up {
            return Grant::Refused(Refusal::NodeDown);
        }
        self.network.node_mut(node).up = false;
        self.lose_all(node);
        let victims = self.living_on(node);
        for &victim in &victims {
            self.cut_ties(victim, node);
        }
        for &victim in &victims {
            self.kill(victim, Death::System(SystemReason::Killed));
        }
        self.tell_watchers(node, |home, _| home != node);
        self.network.node_mut(node).names.clear();
        Grant::Done
    }

    fn cut_ties(&mut self, victim: ProcessId, node: NodeId) {
        let process = self.expect(victim);
        process.name = None;
        let links = std::mem::take(&mut process.links);
        let watched_by = std::mem::take(&mut process.watched_by);
        for other in links.into_iter().filter(|&other| self.homes[other.0 as usize] != node).collect::<Vec<_>>() {
            self.exit_by_link(victim, other, SystemReason::Nodedown);
        }
        for (reference, watcher) in watched_by {
            if self.home(watcher) != node {
                self.down(watcher, reference, SystemReason::Nodedown);
            }
        }
    }

    pub(super) fn start_node(&mut self, me: ProcessId, name: Symbol) -> Grant {
        let node = match self.node_id(name) {
            Some(node) => node,
            None => self.add_node(name),
        };
        let entry = self.network.node_mut(node);
        entry.up = true;
        entry.started = true;
        self.told(me, Kind::StartNode, u64::from(node.0), 0, Grant::Node(node))
    }

    fn add_node(&mut self, name: Symbol) -> NodeId {
        let node = NodeId(self.network.nodes.len() as u16);
        self.network.nodes.push(Node::new(name));
        node
    }

    /// A node that is spoken of, and was never started.
    pub fn unknown_node(&mut self, name: Symbol) -> NodeId {
        self.node_id(name).unwrap_or_else(|| self.add_node(name))
    }

    pub(super) fn monitor_node(&mut self, me: ProcessId, node: NodeId, lost: bool, on: bool) -> Grant {
        self.event(Some(me), Kind::MonitorNode, u64::from(node.0), u64::from(on));
        let home = self.home(me);
        let watchers = &mut self.network.nodes[usize::from(node.0)].watchers;
        if !on {
            if let Some(index) = watchers.iter().position(|&watcher| watcher == (me, lost)) {
                watchers.remove(index);
            }
        } else if node != home && !self.network.connected(home, node) {
            self.drop_in(me, Item::NodeDown(node));
        } else {
            self.network.node_mut(node).watchers.push((me, lost));
        }
        Grant::Bool(true)
    }

    fn living_on(&self, node: NodeId) -> Vec<ProcessId> {
        let all = (0..self.processes.len() as u32).map(ProcessId);
        all.filter(|&process| self.home(process) == node && self.alive(process)).collect()
    }
}
