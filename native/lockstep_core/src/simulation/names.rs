//! Names of processes. Each node has its own; a process has one at most, and its name ends with it.

use super::Simulation;
use crate::causality::Thing;
use crate::ids::{ProcessId, Symbol};
use crate::op::{Grant, Refusal};
use crate::trace::Kind;

impl Simulation {
    pub(super) fn register(&mut self, me: ProcessId, name: Symbol, process: ProcessId) -> Grant {
        let home = self.home(me);
        self.event(Some(me), Kind::Register, u64::from(name.0), u64::from(process.0));
        self.touch(Thing::Name(home, name), true);
        self.touch(Thing::Label(process), true);
        self.touch(Thing::Life(process), false);
        let free = !self.network.node(home).names.contains_key(&name);
        let nameless = self.get(process).is_some_and(|entry| entry.name.is_none());
        if !free || !nameless || !self.alive(process) || self.home(process) != home {
            return Grant::Refused(Refusal::BadName);
        }
        self.network.node_mut(home).names.insert(name, process);
        self.expect(process).name = Some(name);
        self.labels[process.0 as usize] = Some(name);
        Grant::Bool(true)
    }

    pub(super) fn unregister(&mut self, me: ProcessId, name: Symbol) -> Grant {
        let home = self.home(me);
        self.event(Some(me), Kind::Unregister, u64::from(name.0), 0);
        self.touch(Thing::Name(home, name), true);
        match self.network.node_mut(home).names.remove(&name) {
            Some(process) => {
                self.touch(Thing::Label(process), true);
                self.expect(process).name = None;
                Grant::Bool(true)
            }
            None => Grant::Refused(Refusal::BadName),
        }
    }

    pub(super) fn whereis(&mut self, me: ProcessId, name: Symbol) -> Grant {
        let home = self.home(me);
        self.touch(Thing::Name(home, name), false);
        let found = self.network.node(home).names.get(&name).copied();
        let number = found.map_or(u64::MAX, |process| u64::from(process.0));
        self.told(me, Kind::Whereis, u64::from(name.0), number, Grant::Process(found))
    }
}
