//! The connection between two nodes, as each of its ends sees it.
//!
//! What real nodes do: Distributed Erlang (OTP), `net_kernel(3)` and `dist_util.erl` of OTP's kernel application.

use std::collections::BTreeMap;

use crate::clock::{Deadline, Micros};
use crate::ids::NodeId;
use crate::op::{Latency, PartitionMode};

/// A connection's number in the run. A signal belongs to one connection and is lost with it.
pub(crate) type ConnectionNumber = u32;

/// How long a set-up that nobody answers is tried (`net_setuptime`).
pub(crate) const SETUP_TIME: Micros = 7_000_000;

/// One end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum End {
    #[default]
    Down,
    /// It is being set up: signals wait.
    Pending,
    Up {
        number: ConnectionNumber,
        /// What the node itself calls it: its own count.
        id: u32,
    },
}

/// A cut in one direction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    pub(crate) mode: PartitionMode,
    pub(crate) since: Micros,
}

/// An attempt to connect.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SetUp {
    pub(crate) number: ConnectionNumber,
    /// When it is given up.
    pub(crate) fails: Deadline,
    /// When its first message arrives, unless that has happened.
    pub(crate) arrives: Option<Deadline>,
}

/// The news, on its way to one end, that the other has closed the connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Closing {
    pub(crate) number: ConnectionNumber,
    /// When it arrives, unless it has.
    pub(crate) arrives: Option<Deadline>,
}

/// One side of a pair of nodes.
#[derive(Debug, Default)]
pub(crate) struct Side {
    pub(crate) end: End,
    /// What cuts the way towards this side.
    pub(crate) cut: Option<Cut>,
    /// When this side gives the other up, unless it hears of it.
    pub(crate) tick: Option<Deadline>,
    /// When something last arrived here.
    pub(crate) heard: Micros,
    pub(crate) closing: Option<Closing>,
    /// How many bytes wait to get out of this side's node.
    pub(crate) waiting: u64,
    /// Whether it has ever been connected (`dist_auto_connect once`).
    pub(crate) used: bool,
    /// How long messages towards this side are under way, at least and at most; none for the run's own setting.
    pub(crate) latency: Option<Latency>,
}

/// All there is between two nodes.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    sides: [Side; 2],
    pub(crate) setup: Option<SetUp>,
}

/// An unordered pair of nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pair(NodeId, NodeId);

impl Pair {
    pub(crate) fn new(a: NodeId, b: NodeId) -> Self {
        Pair(a.min(b), a.max(b))
    }

    pub(crate) fn ends(self) -> [NodeId; 2] {
        [self.0, self.1]
    }

    pub(crate) fn touches(self, node: NodeId) -> bool {
        self.0 == node || self.1 == node
    }
}

/// What the network knows between its nodes.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    pairs: BTreeMap<Pair, Connection>,
    count: ConnectionNumber,
}

impl Connections {
    /// A number for a new connection.
    pub(crate) fn next_number(&mut self) -> ConnectionNumber {
        self.count += 1;
        self.count
    }

    pub(crate) fn get(&self, a: NodeId, b: NodeId) -> Option<&Connection> {
        self.pairs.get(&Pair::new(a, b))
    }

    pub(crate) fn entry(&mut self, a: NodeId, b: NodeId) -> &mut Connection {
        self.pairs.entry(Pair::new(a, b)).or_default()
    }

    /// The side of `at` towards `other`.
    pub(crate) fn side(&self, at: NodeId, other: NodeId) -> Option<&Side> {
        self.get(at, other)
            .map(|connection| &connection.sides[usize::from(at > other)])
    }

    pub(crate) fn side_mut(&mut self, at: NodeId, other: NodeId) -> &mut Side {
        &mut self.entry(at, other).sides[usize::from(at > other)]
    }

    /// The end of `at` towards `other`.
    pub(crate) fn end(&self, at: NodeId, other: NodeId) -> End {
        self.side(at, other).map_or(End::Down, |side| side.end)
    }

    /// The connection that `at` has with `other`, or is setting up.
    pub(crate) fn number(&self, at: NodeId, other: NodeId) -> Option<ConnectionNumber> {
        match self.end(at, other) {
            End::Down => None,
            End::Pending => self.get(at, other)?.setup.map(|setup| setup.number),
            End::Up { number, .. } => Some(number),
        }
    }

    /// What cuts the way from one node to another.
    pub(crate) fn cut(&self, from: NodeId, to: NodeId) -> Option<&Cut> {
        self.side(to, from)?.cut.as_ref()
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = Pair> + '_ {
        self.pairs.keys().copied()
    }

    /// How many attempts to connect are going on.
    pub(crate) fn set_ups(&self) -> usize {
        self.pairs
            .values()
            .filter(|connection| connection.setup.is_some())
            .count()
    }

    /// The nodes that `node` has ever had to do with.
    pub(crate) fn neighbours(&self, node: NodeId) -> Vec<NodeId> {
        let pairs = self.pairs().filter(|pair| pair.touches(node));
        let ends = pairs.flat_map(Pair::ends);
        ends.filter(|&other| other != node).collect()
    }
}
