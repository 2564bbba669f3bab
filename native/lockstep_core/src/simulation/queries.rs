//! Questions about the state of a run. None of them is a step.

use super::{Outcome, Simulation, Turn};
use crate::clock::Micros;
use crate::ids::{MessageId, NodeId, ProcessId, RefId, Symbol};
use crate::network::Network;
use crate::op::Item;
use crate::process::State;
use crate::rng::Rng;
use crate::strategy::{Profile, Trail};
use crate::trace::{Event, Place};

/// What a process is doing between two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// It is its turn.
    Running,
    /// It could go on.
    Runnable,
    /// It waits for messages.
    Waiting,
    /// Another process keeps it from going on.
    Suspended,
}

/// How much a run holds at one moment: what has ended must not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Processes that are not gone.
    pub processes: usize,
    /// Events that can happen.
    pub ready: usize,
    /// Points in time that something waits for.
    pub deadlines: usize,
    /// Pairs of processes with something under way between them.
    pub channels: usize,
    /// Timers.
    pub timers: usize,
    /// Aliases.
    pub aliases: usize,
    /// Registered names.
    pub names: usize,
    /// Links and monitors, each counted at both its ends.
    pub ties: usize,
    /// Who watches nodes.
    pub watchers: usize,
}

impl Simulation {
    /// How the run ended, if it has.
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// The process whose turn it is.
    pub fn running(&self) -> Option<ProcessId> {
        match self.turn {
            Turn::Of(process) | Turn::Reaping(process) => Some(process),
            Turn::Nobody => None,
        }
    }

    /// The seed of the run.
    pub fn seed(&self) -> u64 {
        self.config.seed
    }

    /// The number of events so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The virtual time since the start of the run.
    pub fn now(&self) -> Micros {
        self.clock.now()
    }

    /// The hash of the schedule so far.
    pub fn hash(&self) -> u64 {
        self.trace.hash()
    }

    /// The choice log; empty unless recorded.
    pub fn choices(&self) -> &[u64] {
        self.choices.log()
    }

    /// What the strategy has found out about the program: see [`Profiler`](crate::strategy::Profiler).
    pub fn profile(&self) -> Option<Profile> {
        self.choices.profile()
    }

    /// The events; empty unless recorded.
    pub fn trace_events(&self) -> &[Event] {
        self.trace.events()
    }

    /// Puts what the last event of the running process was into words, with a digest of its terms and its place in the
    /// program.
    pub fn note(&mut self, text: String, digest: u64, place: Option<Place>) {
        if let Some(process) = self.running() {
            self.trace.note(process, text, digest, place);
        }
    }

    /// A number for the program under test. Each process draws from a stream of its own: what others do first does not
    /// matter.
    pub fn random(&mut self) -> u64 {
        let Some(process) = self.running().filter(|&process| self.get(process).is_some()) else {
            return self.program.next_u64();
        };
        let entry = self.expect(process);
        entry.draws += 1;
        let nth = entry.draws;
        Rng::of(self.config.seed, self.family.lineage(process).0, nth)
    }

    /// A choice of who injects faults: one of `count` things, of which 0 is nothing. Not a step.
    pub fn draw(&mut self, count: u64) -> u64 {
        if let Turn::Of(process) = self.turn {
            self.family.drawn(process);
        }
        self.choices.fault(count)
    }

    /// What a strategy that follows a trail has done so far; see [`crate::strategy::Guided`].
    pub fn trail(&self) -> Option<&Trail> {
        self.choices.trail()
    }

    /// The number of a name.
    pub fn intern(&mut self, name: &str) -> Symbol {
        self.symbols.intern(name)
    }

    /// A number's name.
    pub fn symbol(&self, symbol: Symbol) -> &str {
        self.symbols.name(symbol)
    }

    /// The node of that name, up or down.
    pub fn node_id(&self, name: Symbol) -> Option<NodeId> {
        let index = self.network.nodes.iter().position(|node| node.symbol == name)?;
        Some(NodeId(index as u16))
    }

    /// A node's name.
    pub fn node_symbol(&self, node: NodeId) -> Symbol {
        self.network.node(node).symbol
    }

    /// Whether a node needs no new connection to another: it has one, or is setting one up.
    pub(super) fn has_connection(&self, from: NodeId, to: NodeId) -> bool {
        if Network::wired(from, to) {
            self.network.connections.number(from, to).is_some()
        } else {
            self.network.node(to).up
        }
    }

    /// The names of all nodes that were ever spoken of, by number.
    pub fn node_symbols(&self) -> Vec<Symbol> {
        self.network.nodes.iter().map(|node| node.symbol).collect()
    }

    /// A process's node, also of a dead one.
    pub fn node_of(&self, process: ProcessId) -> Option<NodeId> {
        self.homes.get(process.0 as usize).copied()
    }

    /// Whether a process is of the present life of its node.
    pub fn is_of_present_life(&self, process: ProcessId) -> bool {
        self.node_of(process)
            .is_some_and(|node| process >= self.network.node(node).first)
    }

    /// Under which number a process of another node has last given it a group leader.
    pub fn led(&self, process: ProcessId) -> Option<MessageId> {
        self.get(process)?.led
    }

    /// All nodes ever started, and whether each is up; the control node first.
    pub fn nodes(&self) -> Vec<(NodeId, bool)> {
        let all = self.network.nodes.iter().enumerate();
        all.filter(|(_, node)| node.started)
            .map(|(index, node)| (NodeId(index as u16), node.up))
            .collect()
    }

    /// The nodes that `node` is connected to.
    pub fn visible(&self, node: NodeId) -> Vec<NodeId> {
        self.network.visible(node)
    }

    /// The nodes that `node` is connected to, what it calls the connection, and whether that is hidden.
    pub fn connections(&self, node: NodeId) -> Vec<(NodeId, u32, bool)> {
        let all = self.network.connected_to(node).into_iter();
        all.map(|(other, id)| (other, id, self.network.hidden(node, other)))
            .collect()
    }

    /// The nodes that `node` has ever had to do with.
    pub fn neighbours(&self, node: NodeId) -> Vec<NodeId> {
        self.network.connections.neighbours(node)
    }

    /// How many signals are under way between nodes, set-ups of connections included.
    pub fn under_way(&self) -> usize {
        let packets = self.packets();
        let wired = packets.filter(|packet| Network::wired(packet.from, packet.to)).count();
        wired + self.network.connections.set_ups()
    }

    /// Whether a process exists and has not been killed.
    pub fn alive(&self, process: ProcessId) -> bool {
        self.get(process)
            .is_some_and(|entry| !matches!(entry.state, State::Ending(_)))
    }

    /// The names registered on a node, in the order the run first met them.
    pub fn names(&self, node: NodeId) -> Vec<Symbol> {
        self.network.node(node).names.keys().copied().collect()
    }

    /// A process's links.
    pub fn links(&self, process: ProcessId) -> Vec<ProcessId> {
        self.get(process)
            .map(|entry| entry.links.iter().copied().collect())
            .unwrap_or_default()
    }

    /// Whether a process has a monitor that has not fired.
    pub fn watches(&self, process: ProcessId, reference: RefId) -> bool {
        self.get(process)
            .is_some_and(|entry| entry.watching.contains_key(&reference))
    }

    /// The monitors of a process that have not fired.
    pub fn watching(&self, process: ProcessId) -> Vec<RefId> {
        self.get(process)
            .map(|entry| entry.watching.keys().copied().collect())
            .unwrap_or_default()
    }

    /// What has been delivered to a process that it has not fetched.
    pub fn delivered(&self, process: ProcessId) -> Vec<Item> {
        self.get(process).map(|entry| entry.inbox.clone()).unwrap_or_default()
    }

    /// Who watches a process, once for each monitor, in the order of the references.
    pub fn watchers(&self, process: ProcessId) -> Vec<ProcessId> {
        self.get(process)
            .map(|entry| entry.watched_by.values().copied().collect())
            .unwrap_or_default()
    }

    /// Whom a process keeps from taking steps, and how often it has said so.
    pub fn suspending(&self, process: ProcessId) -> Vec<(ProcessId, u32)> {
        self.get(process)
            .map(|entry| entry.suspending.iter().map(|(&other, &count)| (other, count)).collect())
            .unwrap_or_default()
    }

    /// What a process is doing between two steps.
    pub fn activity(&self, process: ProcessId) -> Option<Activity> {
        let entry = self.get(process)?;
        Some(match entry.state {
            State::Ending(_) => return None,
            _ if entry.is_suspended() => Activity::Suspended,
            State::Running => Activity::Running,
            State::Unborn | State::Waiting => Activity::Waiting,
            State::Enabled(_) | State::Stalled(_) => Activity::Runnable,
        })
    }

    /// Whether a process traps exits.
    pub fn traps(&self, process: ProcessId) -> bool {
        self.get(process).is_some_and(|entry| entry.trap_exit)
    }

    /// The name a process has, or had last.
    pub fn name_of(&self, process: ProcessId) -> Option<Symbol> {
        self.labels.get(process.0 as usize).copied().flatten()
    }

    /// The name a process has now.
    pub fn registered_name(&self, process: ProcessId) -> Option<Symbol> {
        self.get(process)?.name
    }

    /// How much has been delivered to a process that it has not fetched.
    pub fn queue_len(&self, process: ProcessId) -> usize {
        self.get(process).map_or(0, |entry| entry.inbox.len())
    }

    /// Whether a process serves the others, and waits for ever by design.
    pub fn daemon(&self, process: ProcessId) -> bool {
        self.daemons.contains(&process)
    }

    /// The processes that live.
    pub fn waiting(&self) -> Vec<ProcessId> {
        (0..self.process_count())
            .map(ProcessId)
            .filter(|&process| {
                self.alive(process) && self.get(process).is_some_and(|entry| entry.state != State::Unborn)
            })
            .collect()
    }

    /// How much the run holds at the moment.
    pub fn load(&self) -> Load {
        Load {
            processes: self.processes.iter().flatten().count(),
            ready: self.queue.len(),
            deadlines: self.clock.len(),
            channels: self.network.channels.len(),
            timers: self.timers.len(),
            aliases: self.aliases.len(),
            names: self.network.nodes.iter().map(|node| node.names.len()).sum(),
            ties: self.processes.iter().flatten().map(|process| process.ties()).sum(),
            watchers: self.network.nodes.iter().map(|node| node.watchers.len()).sum(),
        }
    }

    /// How many processes there ever were.
    pub fn process_count(&self) -> u32 {
        self.processes.len() as u32
    }
}
