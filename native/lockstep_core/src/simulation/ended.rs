//! The processes that have just ended.

use std::collections::VecDeque;

use crate::clock::Micros;
use crate::ids::ProcessId;
use crate::process::Process;

/// How many are remembered: what happens to more of them at one instant is not told apart.
const MEMORY: usize = 64;

/// The processes that have ended at the current instant, and who is told of it.
#[derive(Debug, Default)]
pub(super) struct JustEnded {
    at: Micros,
    ended: VecDeque<(ProcessId, Vec<ProcessId>)>,
}

impl JustEnded {
    pub(super) fn add(&mut self, now: Micros, process: ProcessId, entry: &Process) {
        if self.at != now {
            self.ended.clear();
            self.at = now;
        }
        if self.ended.len() == MEMORY {
            self.ended.pop_front();
        }
        let told = entry.links.iter().chain(entry.watched_by.values()).copied().collect();
        self.ended.push_back((process, told));
    }

    /// Others have been told that it is gone.
    pub(super) fn forget(&mut self, process: ProcessId) {
        self.ended.retain(|(ended, _)| *ended != process);
    }

    /// Whether `other` has ended just now and `me` is not told of it: those who are know it to be gone.
    pub(super) fn unknown_to(&self, now: Micros, me: ProcessId, other: ProcessId) -> bool {
        let mut ended = self.ended.iter();
        self.at == now && ended.any(|(process, told)| *process == other && !told.contains(&me))
    }
}
