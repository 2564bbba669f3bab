//! Nodes, the cuts between them, and what is under way.

use std::collections::{BTreeMap, VecDeque};

use crate::clock::{Deadline, Micros};
use crate::ids::{CONTROL, MessageId, NodeId, ProcessId, RefId, Symbol};
use crate::op::{ExitClass, PartitionMode, Target};

/// A simulated node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) symbol: Symbol,
    pub(crate) up: bool,
    /// Whether it was ever up; one that was only spoken of is not part of the cluster.
    pub(crate) started: bool,
    pub(crate) names: BTreeMap<Symbol, ProcessId>,
    /// Who watches this node, in the order they began to; `true` for those that a lost connection is reported to.
    pub(crate) watchers: Vec<(ProcessId, bool)>,
}

impl Node {
    pub(crate) fn new(symbol: Symbol) -> Self {
        Node {
            symbol,
            up: false,
            started: false,
            names: BTreeMap::new(),
            watchers: Vec::new(),
        }
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
    /// It is behind a cut.
    Held,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Packet {
    pub(crate) id: MessageId,
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    pub(crate) arrives: Micros,
    pub(crate) content: Content,
    /// No cut loses it: it was taken on to be deferred, or is a signal of a link or monitor.
    pub(crate) kept: bool,
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
    /// A process that was asked for has been started.
    Spawned {
        reference: RefId,
        to: ProcessId,
        reply: bool,
    },
}

impl Content {
    /// Whether a cut may lose it. The signals of links and monitors and the like are kept: a real connection would
    /// rather break, and then tell both sides.
    pub(crate) fn can_be_lost(&self) -> bool {
        matches!(self, Content::Message(_))
    }
}

/// A cut between two nodes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    pub(crate) mode: PartitionMode,
    pub(crate) since: Micros,
    /// The tick time has passed: both sides know.
    pub(crate) noticed: bool,
    pub(crate) tick: Option<Deadline>,
}

/// An unordered pair of nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pair(NodeId, NodeId);

impl Pair {
    pub(crate) fn new(a: NodeId, b: NodeId) -> Self {
        Pair(a.min(b), a.max(b))
    }

    pub(crate) fn ends(self) -> (NodeId, NodeId) {
        (self.0, self.1)
    }
}

/// The connections of the cluster.
#[derive(Debug, Default)]
pub(crate) struct Network {
    pub(crate) nodes: Vec<Node>,
    pub(crate) cuts: BTreeMap<Pair, Cut>,
    pub(crate) channels: BTreeMap<ChannelKey, Channel>,
}

impl Network {
    pub(crate) fn node(&self, node: NodeId) -> &Node {
        &self.nodes[usize::from(node.0)]
    }

    pub(crate) fn node_mut(&mut self, node: NodeId) -> &mut Node {
        &mut self.nodes[usize::from(node.0)]
    }

    pub(crate) fn cut(&self, a: NodeId, b: NodeId) -> Option<&Cut> {
        if self.cuts.is_empty() {
            None
        } else {
            self.cuts.get(&Pair::new(a, b))
        }
    }

    /// Whether `a` counts `b` among its nodes.
    pub(crate) fn connected(&self, a: NodeId, b: NodeId) -> bool {
        self.node(b).up && !self.cut(a, b).is_some_and(|cut| cut.noticed)
    }

    /// The nodes that `of` sees, in the order they were started; the control node is seen by nobody.
    pub(crate) fn visible(&self, of: NodeId) -> Vec<NodeId> {
        let all = (1..self.nodes.len()).map(|index| NodeId(index as u16));
        all.filter(|&node| node != of && node != CONTROL && self.connected(of, node))
            .collect()
    }
}
