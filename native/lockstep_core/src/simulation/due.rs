//! What happens by itself when its time comes, and how time passes.
//!
//! The clock goes on only when nothing can happen without that.

use super::Simulation;
use crate::connection::Pair;
use crate::ids::{NodeId, ProcessId, RefId};
use crate::network::ChannelKey;
use crate::process::State;

/// What happens by itself when its time comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Wake(ProcessId),
    Release(ProcessId),
    Arrive(ChannelKey),
    Fire(RefId),
    /// The first gives the second up.
    Tick(NodeId, NodeId),
    SetUp(Pair),
    SetUpFails(Pair),
    Close(NodeId, NodeId),
    /// The pause of a process is over.
    Thaw(ProcessId),
}

impl Simulation {
    /// Lets time pass until something can happen; false when nothing ever will.
    pub(super) fn advance(&mut self) -> bool {
        loop {
            while let Some(due) = self.clock.pop_due() {
                self.come_due(due);
            }
            self.wake_lazy();
            if self.config.node_order {
                self.activate_held();
            }
            let late = self.clock.now() > self.config.max_virtual_time;
            if late || !self.queue.is_empty() || !self.doomed.is_empty() {
                return true;
            }
            if !self.clock.jump() {
                return false;
            }
            self.causality.jump(self.clock.now());
        }
    }

    fn come_due(&mut self, due: Due) {
        match due {
            Due::Wake(process) => self.wake(process),
            Due::Release(process) => {
                if let State::Stalled(op) = std::mem::replace(&mut self.expect(process).state, State::Running) {
                    self.release(process, op);
                }
            }
            Due::Arrive(key) => self.activate(key),
            Due::Fire(reference) => self.fire_due(reference),
            Due::Tick(at, other) => self.tick(at, other),
            Due::SetUp(pair) => self.set_up_arrives(pair),
            Due::SetUpFails(pair) => self.fail_set_up(pair),
            Due::Close(at, other) => self.close_arrives(at, other),
            Due::Thaw(process) => self.end_pause(process),
        }
    }
}
