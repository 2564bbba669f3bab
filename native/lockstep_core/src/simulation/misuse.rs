//! Calls that do not fit the state of the run.
//!
//! Whoever calls is told, and nothing changes: what was announced by mistake must not be half done.

use super::{Simulation, Turn};
use crate::ids::{NodeId, ProcessId};
use crate::op::{Op, Scope, Target};

/// A call that does not fit the state of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misuse {
    /// The run is over.
    Ended,
    /// It is another process's turn.
    NotYourTurn,
    /// There is no such process.
    UnknownProcess,
    /// An argument is out of range.
    BadArgument(&'static str),
    /// Who looks on does nothing else, and nobody else looks on.
    OnlyLooks,
}

impl Simulation {
    /// Checks that it is a process's turn.
    pub fn check_turn(&self, me: ProcessId) -> Result<(), Misuse> {
        match self.turn {
            _ if self.outcome.is_some() => Err(Misuse::Ended),
            Turn::Of(process) if process == me => Ok(()),
            _ if me.0 as usize >= self.processes.len() => Err(Misuse::UnknownProcess),
            _ => Err(Misuse::NotYourTurn),
        }
    }

    /// Checks that an operation speaks only of what there is.
    pub(super) fn check_op(&self, op: &Op) -> Result<(), Misuse> {
        match op {
            Op::Link(process)
            | Op::Unlink(process)
            | Op::Signal(process, _)
            | Op::Lead(process)
            | Op::Register(_, process)
            | Op::Look(Some(process))
            | Op::Suspend { process, .. }
            | Op::Resume(process) => self.check_process(*process),
            Op::Send(target)
            | Op::SendIfConnected(target)
            | Op::Monitor { target, .. }
            | Op::StartTimer { target, .. } => match target {
                Target::Process(process) => self.check_process(*process),
                Target::Name(node, _) => self.check_node(*node),
                Target::Alias(_) => Ok(()),
            },
            Op::Pause(process, _) => self.check_process(*process),
            Op::Spawn { node, .. }
            | Op::StopNode(node)
            | Op::CrashNode { node, .. }
            | Op::PauseNode(node, _)
            | Op::Configure(node, _)
            | Op::Connect(node, _)
            | Op::MonitorNode { node, .. } => self.check_node(*node),
            Op::Partition(groups, _) => groups.iter().flatten().try_for_each(|&node| self.check_node(node)),
            Op::CutOneWay { from, to, .. } | Op::Release { from, to } => {
                from.iter().chain(to).try_for_each(|&node| self.check_node(node))
            }
            Op::Join(a, b)
            | Op::Disconnect(a, b)
            | Op::SetLatency {
                between: Some((a, b)), ..
            }
            | Op::Heal(Scope::Between(a, b)) => self.check_node(*a).and(self.check_node(*b)),
            Op::Heal(Scope::Node(node)) => self.check_node(*node),
            _ => Ok(()),
        }
    }

    fn check_node(&self, node: NodeId) -> Result<(), Misuse> {
        if usize::from(node.0) < self.network.nodes.len() {
            Ok(())
        } else {
            Err(Misuse::BadArgument("no such node"))
        }
    }

    /// Checks that a process is one of this run, dead or alive.
    pub fn check_process(&self, process: ProcessId) -> Result<(), Misuse> {
        if (process.0 as usize) < self.homes.len() {
            Ok(())
        } else {
            Err(Misuse::UnknownProcess)
        }
    }
}
