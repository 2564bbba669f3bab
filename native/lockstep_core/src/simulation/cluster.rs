//! Operations on the cluster: nodes and the cuts between them.

use super::{Due, Misuse, Simulation, Timer};
use crate::clock::Micros;
use crate::ids::{CONTROL, NodeId, ProcessId, Symbol};
use crate::network::{Cut, Node, Pair};
use crate::op::{Death, ExitClass, Grant, Item, PartitionMode, Refusal, SystemReason, Target};
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
                self.network.cuts.insert(
                    pair,
                    Cut {
                        mode,
                        since: now,
                        noticed: false,
                        tick,
                    },
                );
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
        let Some(cut) = self.network.cuts.get_mut(&pair) else {
            return;
        };
        cut.noticed = true;
        cut.tick = None;
        let (a, b) = pair.ends();
        self.event(None, Kind::Tick, u64::from(a.0), u64::from(b.0));
        for process in self.living_on(|home| home == a) {
            self.sever(process, b, SystemReason::Noconnection);
        }
        for process in self.living_on(|home| home == b) {
            self.sever(process, a, SystemReason::Noconnection);
        }
        self.tell_watchers(a, |home, lost| home == b && lost);
        self.tell_watchers(b, |home, lost| home == a && lost);
    }

    /// Breaks what ties a process to those of another node, living or dead, as far as it concerns the process itself.
    fn sever(&mut self, process: ProcessId, node: NodeId, reason: SystemReason) {
        self.give_up_requests(process, node);
        let Some(entry) = self.get(process) else { return };
        let links: Vec<_> = entry
            .links
            .iter()
            .copied()
            .filter(|&other| self.home(other) == node)
            .collect();
        let watching = entry.watching.iter().filter(|&(_, &other)| self.home(other) == node);
        let watching: Vec<_> = watching.map(|(&reference, _)| reference).collect();
        for other in links {
            self.exit_by_link(other, process, reason);
        }
        for reference in watching {
            self.down(process, reference, reason);
        }
    }

    /// Processes that were asked for on a node and not yet heard of have not been started, as far as one can tell.
    fn give_up_requests(&mut self, process: ProcessId, node: NodeId) {
        let Some(entry) = self.get(process) else { return };
        let requests = entry
            .requests
            .iter()
            .filter(|(_, request)| self.home(request.child) == node);
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
        self.network.node_mut(node).names.clear();
        self.lose_all(node);
        self.drop_timers_of(node);
        let victims = self.living_on(|home| home == node);
        for &victim in &victims {
            let process = self.expect(victim);
            process.name = None;
            process.links.clear();
            process.watched_by.clear();
        }
        // Also those whose last signals have just been lost are told of here.
        for process in self.living_on(|home| home != node) {
            self.sever(process, node, SystemReason::Nodedown);
        }
        for &victim in &victims {
            self.kill(victim, Death::System(SystemReason::Killed), ExitClass::Crash);
        }
        self.tell_watchers(node, |home, _| home != node);
        Grant::Done
    }

    /// The timers for names of a node that stops; those for its processes end with them.
    fn drop_timers_of(&mut self, node: NodeId) {
        let for_name = |timer: &Timer| matches!(timer.target, Target::Name(home, _) if home == node);
        let gone: Vec<_> = self
            .timers
            .iter()
            .filter(|(_, timer)| for_name(timer))
            .map(|(&reference, _)| reference)
            .collect();
        for reference in gone {
            self.drop_timer(reference);
        }
    }

    pub(super) fn start_node(&mut self, me: ProcessId, name: Symbol) -> Grant {
        let Ok(node) = self.unknown_node(name) else {
            return self.told(me, Kind::StartNode, u64::MAX, 0, Grant::Refused(Refusal::NodeDown));
        };
        let entry = self.network.node_mut(node);
        entry.up = true;
        entry.started = true;
        self.told(me, Kind::StartNode, u64::from(node.0), 0, Grant::Node(node))
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

    pub(super) fn monitor_node(&mut self, me: ProcessId, node: NodeId, lost: bool, on: bool) -> Grant {
        self.event(Some(me), Kind::MonitorNode, u64::from(node.0), u64::from(on));
        let home = self.home(me);
        let within_reach = if lost {
            self.network.connected(home, node)
        } else {
            self.network.node(node).up
        };
        let watchers = &mut self.network.nodes[usize::from(node.0)].watchers;
        if !on {
            if let Some(index) = watchers.iter().position(|&watcher| watcher == (me, lost)) {
                watchers.remove(index);
            }
        } else if node != home && !within_reach {
            self.drop_in(me, Item::NodeDown(node));
        } else {
            self.network.node_mut(node).watchers.push((me, lost));
        }
        Grant::Bool(true)
    }

    fn living_on(&self, on: impl Fn(NodeId) -> bool) -> Vec<ProcessId> {
        let all = self
            .homes
            .iter()
            .zip(0..)
            .map(|(&home, number)| (home, ProcessId(number)));
        all.filter(|&(home, process)| on(home) && self.alive(process))
            .map(|(_, process)| process)
            .collect()
    }
}
