//! Suspending processes and resuming them (`erlang:suspend_process/2`).

use super::{Ready, Simulation};
use crate::ids::ProcessId;
use crate::op::{Grant, Refusal};
use crate::process::State;
use crate::trace::Kind;

impl Simulation {
    pub(super) fn suspend(&mut self, me: ProcessId, process: ProcessId, once: bool) -> Grant {
        self.event(Some(me), Kind::Suspend, u64::from(process.0), u64::from(once));
        if process == me || !self.alive(process) || self.home(process) != self.home(me) {
            return Grant::Refused(Refusal::Noproc);
        }
        let count = self.expect(process).suspended_by.entry(me).or_insert(0);
        if once && *count > 0 {
            return Grant::Bool(false);
        }
        *count += 1;
        self.expect(me).suspending.insert(process);
        if matches!(self.expect(process).state, State::Enabled(_)) {
            self.release_from_queue(process);
        }
        Grant::Bool(true)
    }

    pub(super) fn resume(&mut self, me: ProcessId, process: ProcessId) -> Grant {
        self.event(Some(me), Kind::Resume, u64::from(process.0), 0);
        let Some(count) = self.living(process).and_then(|entry| entry.suspended_by.get_mut(&me)) else {
            return Grant::Refused(Refusal::Noproc);
        };
        *count -= 1;
        if *count == 0 {
            self.expect(me).suspending.remove(&process);
            self.end_suspension(process, me);
        }
        Grant::Bool(true)
    }

    /// Takes back all suspensions of one process by another.
    pub(super) fn end_suspension(&mut self, process: ProcessId, by: ProcessId) {
        let Some(entry) = self.living(process) else { return };
        let suspended = entry.suspended_by.remove(&by).is_some();
        if suspended && entry.suspended_by.is_empty() && matches!(entry.state, State::Enabled(_)) {
            self.queue.push_back(Ready::Run(process));
        }
    }
}
