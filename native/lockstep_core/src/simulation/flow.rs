//! Connections that take no more: whoever sends through one then has to wait.
//!
//! What real nodes do: "Blocking Signaling Over Distribution" in the Erlang Reference Manual (Processes).

use super::Simulation;
use crate::causality::Thing;
use crate::connection::End;
use crate::ids::{NodeId, ProcessId};
use crate::network::Network;
use crate::op::{Grant, Op, PartitionMode};
use crate::process::State;
use crate::trace::Kind;

/// How many bytes may wait to be written to another node (`dist_buf_busy_limit`).
const BUSY_LIMIT: u64 = 1 << 20;

impl Simulation {
    /// Whether nothing of what one node sends another gets out of it: it waits for the connection, or the network or the
    /// other node has gone silent.
    fn is_stuck(&self, from: NodeId, to: NodeId) -> bool {
        let connections = &self.network.connections;
        if !Network::wired(from, to) || connections.number(from, to).is_none() {
            return false;
        }
        let silent = connections
            .cut(from, to)
            .is_some_and(|cut| cut.mode == PartitionMode::Tcp);
        silent || connections.end(from, to) == End::Pending || self.network.node(to).paused.is_some()
    }

    /// Notes that a process has sent something that does not get out of its node: it is to say how much that is.
    pub(super) fn has_sent(&mut self, me: ProcessId, to: NodeId) {
        if self.is_stuck(self.home(me), to) {
            self.expect(me).stuck = Some(to);
        }
    }

    /// The node that a process has sent something to that does not get out of its own: it is to say how much
    /// ([`Op::Weigh`]).
    pub fn stuck(&self, process: ProcessId) -> Option<NodeId> {
        self.get(process)?.stuck
    }

    /// Whether the connection from one node to another takes no more.
    pub fn busy(&self, from: NodeId, to: NodeId) -> bool {
        let waiting = self.network.connections.side(from, to).map_or(0, |side| side.waiting);
        waiting >= BUSY_LIMIT
    }

    /// How much the last thing was that a process has sent. If the connection takes no more, and unless the process does
    /// not want that, it goes on when that has changed.
    pub(super) fn weigh(&mut self, me: ProcessId, bytes: u64, suspend: bool) -> Grant {
        // Others may have taken steps since what is weighed was sent.
        self.event(Some(me), Kind::Yield, bytes, 0);
        self.touch(Thing::World, true);
        let home = self.home(me);
        let Some(to) = self.expect(me).stuck.take().filter(|&to| self.is_stuck(home, to)) else {
            return Grant::Done;
        };
        let side = self.network.connections.side_mut(home, to);
        side.waiting = side.waiting.saturating_add(bytes);
        if suspend && self.busy(home, to) {
            self.event(Some(me), Kind::Busy, u64::from(home.0), u64::from(to.0));
            let entry = self.expect(me);
            entry.kept_by = Some(to);
            entry.state = State::Enabled(Op::Weigh { bytes: 0, suspend });
        }
        Grant::Done
    }

    /// If what one node sends another gets out of it again, or is lost, all who had to wait for that go on.
    pub(super) fn review_flow(&mut self, from: NodeId, to: NodeId) {
        let Some(side) = self.network.connections.side(from, to) else {
            return;
        };
        if side.waiting == 0 || self.is_stuck(from, to) {
            return;
        }
        self.network.connections.side_mut(from, to).waiting = 0;
        for process in self.living_on(|home| home == from) {
            if self.get(process).is_some_and(|entry| entry.kept_by == Some(to)) {
                self.expect(process).kept_by = None;
                self.go_on(process);
            }
        }
    }
}
