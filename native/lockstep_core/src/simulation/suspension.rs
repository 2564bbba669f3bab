//! Processes that keep others from taking steps.

use super::{Ready, Simulation};
use crate::causality::Thing;
use crate::ids::ProcessId;
use crate::op::{Grant, Op, Refusal, Wait};
use crate::process::State;
use crate::trace::Kind;

impl Simulation {
    pub(super) fn suspend(&mut self, me: ProcessId, other: ProcessId, once: bool) -> Grant {
        self.arrive_all(me, other);
        self.event(Some(me), Kind::Suspend, u64::from(other.0), u64::from(once));
        self.touch_stopped(other);
        self.touch(Thing::Life(other), false);
        let near = self.home(me) == self.home(other);
        if me == other || !near || !self.alive(other) {
            return Grant::Refused(Refusal::Noproc);
        }
        let count = self.expect(me).suspending.entry(other).or_insert(0);
        if once && *count > 0 {
            return Grant::Bool(false);
        }
        *count += 1;
        self.expect(other).suspended_by.insert(me);
        self.queue.remove(Ready::Run(other));
        Grant::Bool(true)
    }

    pub(super) fn resume(&mut self, me: ProcessId, other: ProcessId) -> Grant {
        self.event(Some(me), Kind::Resume, u64::from(other.0), 0);
        self.touch_stopped(other);
        self.touch(Thing::Life(other), false);
        let process = self.expect(me);
        let Some(count) = process.suspending.get_mut(&other) else {
            return Grant::Refused(Refusal::Noproc);
        };
        *count -= 1;
        if *count == 0 {
            process.suspending.remove(&other);
            self.lift(me, other);
        }
        Grant::Bool(true)
    }

    /// One that suspends a process no longer does: if it was the last, the process goes on where it was.
    pub(super) fn lift(&mut self, me: ProcessId, other: ProcessId) {
        if let Some(process) = self.living(other) {
            process.suspended_by.remove(&me);
            self.go_on(other);
        }
    }

    /// Stops a process with its node, or lets it go on.
    pub(super) fn freeze(&mut self, process: ProcessId, on: bool) {
        let Some(entry) = self.living(process) else { return };
        entry.frozen = on;
        self.hold_or_go_on(process, on);
    }

    /// Stops a process from outside the program.
    pub(super) fn begin_pause(&mut self, process: ProcessId) {
        let Some(entry) = self.living(process) else { return };
        entry.pauses += 1;
        self.hold_or_go_on(process, true);
    }

    /// A pause of a process is over. There may be others, of it or of its node.
    pub(super) fn end_pause(&mut self, process: ProcessId) {
        let Some(entry) = self.living(process) else { return };
        entry.pauses = entry.pauses.saturating_sub(1);
        if entry.pauses == 0 {
            self.hold_or_go_on(process, false);
        }
    }

    fn hold_or_go_on(&mut self, process: ProcessId, hold: bool) {
        if hold {
            self.queue.remove(Ready::Run(process));
        } else {
            self.go_on(process);
        }
    }

    /// A process goes on where it was, unless something still keeps it from that.
    pub(super) fn go_on(&mut self, other: ProcessId) {
        let process = self.expect(other);
        if process.is_suspended() {
            return;
        }
        self.causality.enabled(other);
        match self.expect(other).state {
            State::Enabled(_) => self.queue.push_back(Ready::Run(other)),
            State::Waiting => self.resume_wait(other),
            // One that is held back comes to the queue by itself.
            State::Running | State::Unborn | State::Stalled(_) | State::Ending(_) => {}
        }
    }

    /// On the VM, too, a `receive` whose time was up meanwhile is over, whatever has arrived since.
    fn resume_wait(&mut self, other: ProcessId) {
        let process = self.expect(other);
        if std::mem::take(&mut process.expired) {
            self.release(other, Op::Receive(Wait::Expired));
        } else if !process.inbox.is_empty() {
            if let Some(deadline) = process.deadline.take() {
                self.clock.cancel(deadline);
            }
            self.release(other, Op::Receive(Wait::Rest));
        }
    }
}
