//! The processes of a run, by number: how they come into it, and where they are found.

use super::{Ready, Simulation};
use crate::ids::{CONTROL, NodeId, ProcessId};
use crate::op::Target;
use crate::process::{Process, State};

impl Simulation {
    pub(super) fn create(&mut self, parent: Option<ProcessId>, node: NodeId, state: State) -> ProcessId {
        let process = ProcessId(self.processes.len() as u32);
        let mut entry = Process::new(node);
        entry.frozen = self.network.node(node).paused.is_some();
        let ready = state != State::Unborn && !entry.frozen;
        entry.state = state;
        self.processes.push(Some(Box::new(entry)));
        self.homes.push(node);
        self.family.born(parent);
        self.causality.enabled(process);
        self.labels.push(None);
        if ready {
            self.queue.push_back(Ready::Run(process));
        }
        process
    }

    /// Marks a process that serves the others; not a step.
    pub fn set_daemon(&mut self, process: ProcessId) {
        self.daemons.insert(process);
    }

    /// Marks a process that owns something shared: its end concerns all who touch that. Not a step.
    pub fn set_owner(&mut self, process: ProcessId) {
        let new = self.living(process).filter(|entry| !entry.owner);
        if let Some(entry) = new {
            entry.owner = true;
            self.queue.touch(Ready::Run(process));
        }
    }

    /// A living process; callers know that it lives.
    pub(super) fn expect(&mut self, process: ProcessId) -> &mut Process {
        self.processes[process.0 as usize]
            .as_deref_mut()
            .expect("the process is alive")
    }

    pub(super) fn living(&mut self, process: ProcessId) -> Option<&mut Process> {
        self.processes.get_mut(process.0 as usize)?.as_deref_mut()
    }

    pub(super) fn get(&self, process: ProcessId) -> Option<&Process> {
        self.processes.get(process.0 as usize)?.as_deref()
    }

    pub(super) fn is_ending(&self, process: ProcessId) -> bool {
        self.get(process)
            .is_some_and(|entry| matches!(entry.state, State::Ending(_)))
    }

    pub(super) fn home(&self, process: ProcessId) -> NodeId {
        self.homes[process.0 as usize]
    }

    /// The node of whoever is reached under an address. A reference's number begins with one more than that of the
    /// process that made it.
    pub(super) fn home_of(&self, target: Target) -> NodeId {
        match target {
            Target::Process(process) => self.home(process),
            Target::Name(node, _) => node,
            Target::Alias(reference) => {
                let maker = (reference.0 >> 32).checked_sub(1);
                let home = maker.and_then(|maker| self.homes.get(maker as usize));
                home.copied().unwrap_or(CONTROL)
            }
        }
    }

    pub(super) fn living_on(&self, on: impl Fn(NodeId) -> bool) -> Vec<ProcessId> {
        let all = self
            .homes
            .iter()
            .zip(0..)
            .map(|(&home, number)| (home, ProcessId(number)));
        all.filter(|&(home, process)| on(home) && self.alive(process))
            .map(|(_, process)| process)
            .collect()
    }
}
