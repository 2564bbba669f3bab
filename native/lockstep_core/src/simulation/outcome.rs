//! How a run ends.

use super::Simulation;
use crate::ids::{MAIN, ProcessId};
use crate::op::ExitClass;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Done,
    /// Nothing could happen any more, and the main process had not returned.
    Deadlock,
    /// Too many steps.
    StepLimit,
    /// Too much virtual time.
    TimeLimit,
    /// A process crashed, and [`Config::fail_on_crash`](super::Config::fail_on_crash) is set.
    Crashed(ProcessId),
    /// A process waits for ever, and [`Config::fail_on_blocked`](super::Config::fail_on_blocked) is set.
    Blocked,
    /// A process ended without having announced it.
    Lost(ProcessId),
    /// Something was seen that must not be.
    Violated,
    /// The replayed choice log does not fit from this choice on.
    Diverged(u64),
    /// All that could still happen has been seen in other runs: see [`Explorer`](crate::Explorer).
    Abandoned,
    /// What could happen is not what could happen in an earlier run with the same choices: see [`Explorer`](crate::Explorer).
    Strange,
}

impl Simulation {
    /// How the run ends now, if it does; lets time pass where nothing else can happen.
    pub(super) fn limit(&mut self) -> Option<Outcome> {
        if !self.advance() {
            return Some(self.quiet());
        }
        match () {
            () if self.steps >= self.config.max_steps => Some(Outcome::StepLimit),
            () if self.clock.now() > self.config.max_virtual_time => Some(Outcome::TimeLimit),
            () => None,
        }
    }

    /// Nothing can happen any more.
    fn quiet(&self) -> Outcome {
        if self.alive(MAIN) {
            Outcome::Deadlock
        } else if self.config.fail_on_blocked && self.somebody_waits() {
            Outcome::Blocked
        } else {
            Outcome::Done
        }
    }

    fn somebody_waits(&self) -> bool {
        let mut living = self.processes.iter().zip(0..).filter(|(process, _)| process.is_some());
        living.any(|(_, number)| !self.daemons.contains(&ProcessId(number)))
    }

    /// Whether the run ends with this process.
    pub(super) fn judge_end(&mut self, me: ProcessId, class: ExitClass, stopped: bool) {
        if me == MAIN && !self.config.quiescence && !self.config.fail_on_blocked {
            self.outcome = Some(Outcome::Done);
        } else if me != MAIN && self.config.fail_on_crash && class == ExitClass::Crash && !stopped {
            self.outcome = Some(Outcome::Crashed(me));
        }
    }
}
