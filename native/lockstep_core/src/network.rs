//! Nodes and what is under way between them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::causality::Cause;
use crate::clock::{Deadline, Micros};
use crate::connection::{ConnectionNumber, Connections, End};
use crate::ids::{CONTROL, MAIN, MessageId, NodeId, ProcessId, RefId, Symbol};
use crate::op::{AutoConnect, ExitClass, Subscription, Target};

/// A simulated node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) symbol: Symbol,
    pub(crate) up: bool,
    /// Whether it was ever up; one that was only spoken of is not part of the cluster.
    pub(crate) started: bool,
    /// Since when nothing happens on it, if it is paused.
    pub(crate) paused: Option<Micros>,
    pub(crate) hidden: bool,
    /// Whether it is part of the distribution (`erlang:is_alive/0`).
    pub(crate) alive: bool,
    pub(crate) auto_connect: AutoConnect,
    /// From whom it takes connections; none for everybody (`net_kernel:allow/1`).
    pub(crate) allowed: Option<BTreeSet<NodeId>>,
    pub(crate) cookies: BTreeMap<NodeId, Option<Symbol>>,
    /// Its cookie for those it has no other for.
    pub(crate) cookie: Option<Symbol>,
    /// `net_ticktime`, if it has one of its own, and `net_tickintensity`.
    pub(crate) tick_time: Option<Micros>,
    pub(crate) tick_intensity: u64,
    /// When it ticks, within the time between two ticks; drawn when it first matters.
    pub(crate) phase: Option<Micros>,
    /// How many connections it has had.
    pub(crate) connections: u32,
    pub(crate) names: BTreeMap<Symbol, ProcessId>,
    /// Processes with smaller numbers are of a former life of it.
    pub(crate) first: ProcessId,
    /// Who watches this node, in the order they began to.
    pub(crate) watchers: Vec<Watcher>,
    /// Who on this node wants to hear of all nodes, in the order they said so.
    pub(crate) subscribers: Vec<(ProcessId, Subscription)>,
    /// Timers that came due while it was paused.
    pub(crate) late: Vec<RefId>,
}

/// Somebody who watches a node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watcher {
    pub(crate) process: ProcessId,
    /// Whether a lost connection is reported to it, too.
    pub(crate) lost: bool,
    /// The latest monitor that it had when it began: what a process watches fires in the order in which it began to.
    pub(crate) since: Option<RefId>,
}

/// How often a node ticks in the time after which a silent connection is given up (`net_tickintensity`).
const TICK_INTENSITY: u64 = 4;

impl Node {
    pub(crate) fn new(symbol: Symbol) -> Self {
        Node {
            symbol,
            up: false,
            started: false,
            paused: None,
            hidden: false,
            alive: true,
            auto_connect: AutoConnect::Always,
            allowed: None,
            cookies: BTreeMap::new(),
            cookie: None,
            tick_time: None,
            tick_intensity: TICK_INTENSITY,
            phase: None,
            connections: 0,
            names: BTreeMap::new(),
            first: MAIN,
            watchers: Vec::new(),
            subscribers: Vec::new(),
            late: Vec::new(),
        }
    }

    pub(crate) fn cookie_for(&self, other: NodeId) -> Option<Symbol> {
        self.cookies.get(&other).copied().unwrap_or(self.cookie)
    }

    pub(crate) fn allows(&self, other: NodeId) -> bool {
        self.allowed.as_ref().is_none_or(|allowed| allowed.contains(&other))
    }

    /// Starts it, without anything that it had before.
    pub(crate) fn boot(&mut self, first: ProcessId) {
        let watchers = std::mem::take(&mut self.watchers);
        *self = Node {
            up: true,
            started: true,
            watchers,
            first,
            ..Node::new(self.symbol)
        };
    }
}

/// The two ends of a stream whose order is kept.
///
/// Erlang keeps the order of signals between two processes and of no others
/// (Erlang Reference Manual, Processes, "Delivery of Signals").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ChannelKey {
    pub(crate) from: ProcessId,
    pub(crate) to: Target,
}

/// What is under way from one process to another, in order.
#[derive(Debug, Default)]
pub(crate) struct Channel {
    pub(crate) packets: VecDeque<Packet>,
    pub(crate) state: ChannelState,
}

/// Whether a channel's first packet can be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ChannelState {
    #[default]
    Idle,
    /// It arrives at a later time.
    UnderWay(Deadline),
    /// It can be delivered: the channel is in the queue.
    Enabled,
    /// It is behind a cut, waits for a connection, or its receiver's node is paused.
    Held,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Packet {
    pub(crate) id: MessageId,
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    pub(crate) arrives: Micros,
    pub(crate) content: Content,
    /// The connection that it goes through; none on one node and with the control node.
    pub(crate) connection: Option<ConnectionNumber>,
    /// Neither a cut nor a lost connection loses it: it was taken on to be deferred.
    pub(crate) kept: bool,
    /// What has sent it.
    pub(crate) cause: Cause,
}

impl Packet {
    /// From which node to which it goes.
    pub(crate) fn way(&self) -> (NodeId, NodeId) {
        (self.from, self.to)
    }
}

/// A signal under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// A message, with the address it was sent to.
    Message(Target),
    /// `exit/2`, or the end of a linked process.
    Exit {
        from: ProcessId,
        to: ProcessId,
        link: bool,
        class: ExitClass,
    },
    /// The end of a watched process.
    Down { reference: RefId, to: ProcessId },
    /// The answer to a link or, with its reference, to a monitor that came too late.
    TooLate {
        from: ProcessId,
        to: ProcessId,
        monitor: Option<RefId>,
    },
    /// A process on another node wants to be linked.
    Link { from: ProcessId, to: ProcessId },
    /// A process on another node takes its link back.
    Unlink { from: ProcessId, to: ProcessId },
    /// A process on another node gives one here a group leader.
    Leader { to: ProcessId },
    /// A process on another node wants to watch one here.
    Monitor {
        reference: RefId,
        from: ProcessId,
        to: Target,
    },
    /// A process that was asked for on this node begins.
    Birth {
        child: ProcessId,
        parent: ProcessId,
        reference: RefId,
        reply: bool,
        answer: MessageId,
    },
    /// A process that was asked for has been started.
    Spawned {
        reference: RefId,
        to: ProcessId,
        reply: bool,
    },
}

impl Content {
    /// Whether a cut that drops may lose it. The signals of links and monitors and the like are kept: a real connection
    /// would rather break, and then tell both sides.
    pub(crate) fn can_be_lost(&self) -> bool {
        matches!(self, Content::Message(_))
    }
}

/// The nodes and the connections between them.
#[derive(Debug, Default)]
pub(crate) struct Network {
    pub(crate) nodes: Vec<Node>,
    pub(crate) connections: Connections,
    pub(crate) channels: BTreeMap<ChannelKey, Channel>,
    /// Who waits for a connection: from where to where, and under which number it is told.
    pub(crate) waiters: Vec<(NodeId, NodeId, ProcessId, RefId)>,
}

impl Network {
    pub(crate) fn node(&self, node: NodeId) -> &Node {
        &self.nodes[usize::from(node.0)]
    }

    pub(crate) fn node_mut(&mut self, node: NodeId) -> &mut Node {
        &mut self.nodes[usize::from(node.0)]
    }

    /// Whether what goes from one node to the other needs a connection. The control node reaches all.
    pub(crate) fn wired(a: NodeId, b: NodeId) -> bool {
        a != b && a != CONTROL && b != CONTROL
    }

    /// Whether `a` counts `b` among its nodes.
    pub(crate) fn connected(&self, a: NodeId, b: NodeId) -> bool {
        if Network::wired(a, b) {
            matches!(self.connections.end(a, b), End::Up { .. })
        } else {
            self.node(b).up
        }
    }

    /// Whether the connection between two nodes is a hidden one.
    pub(crate) fn hidden(&self, a: NodeId, b: NodeId) -> bool {
        self.node(a).hidden || self.node(b).hidden
    }

    /// The nodes that `of` is connected to and what it calls the connections, by number; nobody sees the control node.
    pub(crate) fn connected_to(&self, of: NodeId) -> Vec<(NodeId, u32)> {
        let all = (1..self.nodes.len()).map(|index| NodeId(index as u16));
        all.filter(|&node| node != of && self.connected(of, node))
            .map(|node| match self.connections.end(of, node) {
                End::Up { id, .. } => (node, id),
                End::Down | End::Pending => (node, 0),
            })
            .collect()
    }

    /// The nodes that `of` sees.
    pub(crate) fn visible(&self, of: NodeId) -> Vec<NodeId> {
        let all = self.connected_to(of).into_iter().map(|(node, _)| node);
        all.filter(|&node| !self.hidden(of, node)).collect()
    }
}
