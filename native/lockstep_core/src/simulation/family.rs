//! Who is who in every schedule of a program.
//!
//! The numbers of processes depend on the order in which they happen to be started. Which child of which parent a
//! process is does not, as far as the parent does the same in both schedules. Computed only where a strategy asks.

use super::view::View;
use crate::ids::{NodeId, ProcessId, RefId, Symbol};
use crate::op::Target;
use crate::strategy::{Actor, Lineage, Object};

const PROCESS: Lineage = Lineage(1);
const ONLOOKER: Lineage = Lineage(2);
const TIMER: Lineage = Lineage(3);
const CHANNEL: Lineage = Lineage(4);
const SET_UP: Lineage = Lineage(5);
const CLOSE: Lineage = Lineage(6);
const NODE: Lineage = Lineage(7);
const ALIAS: Lineage = Lineage(8);
const SHARED: Lineage = Lineage(9);
const TABLE: Lineage = Lineage(10);
const EVERYTHING: Lineage = Lineage(11);
const NOTHING: Lineage = Lineage(12);

/// All processes there ever were, by number.
#[derive(Debug, Default)]
pub(super) struct Family(Vec<Member>);

#[derive(Debug, Clone, Copy)]
struct Member {
    lineage: Lineage,
    parent: Option<ProcessId>,
    children: u32,
    draws: u32,
}

impl Family {
    /// The next process, in the order of their numbers. Only the main process and the one who looks on have no parent.
    pub(super) fn born(&mut self, parent: Option<ProcessId>) {
        let lineage = match parent {
            Some(parent) => self.child(parent),
            None if self.0.is_empty() => PROCESS,
            None => ONLOOKER,
        };
        self.0.push(Member {
            lineage,
            parent,
            children: 0,
            draws: 0,
        });
    }

    /// `process` has drawn a fault. From now on its children count anew: a fault that is left out renames nobody.
    pub(super) fn drawn(&mut self, process: ProcessId) {
        let member = &mut self.0[process.0 as usize];
        member.draws += 1;
        member.children = 0;
    }

    fn child(&mut self, parent: ProcessId) -> Lineage {
        let parent = &mut self.0[parent.0 as usize];
        parent.children += 1;
        parent
            .lineage
            .then((u64::from(parent.draws) << 32) | u64::from(parent.children))
    }

    pub(super) fn lineage(&self, process: ProcessId) -> Lineage {
        self.0[process.0 as usize].lineage
    }

    fn parent(&self, process: ProcessId) -> Option<ProcessId> {
        self.0[process.0 as usize].parent
    }

    /// Who has made a reference: its number begins with one more than that of the process.
    fn maker(&self, reference: RefId) -> Option<Lineage> {
        let maker = (reference.0 >> 32).checked_sub(1)?;
        self.0.get(maker as usize).map(|member| member.lineage)
    }

    fn reference(&self, kind: Lineage, reference: RefId) -> Lineage {
        match self.maker(reference) {
            Some(Lineage(maker)) => kind.then(maker).then(reference.0 & 0xFFFF_FFFF),
            None => kind.then(reference.0),
        }
    }
}

impl View<'_> {
    pub(super) fn lineage_of(&self, actor: Actor) -> Lineage {
        match actor {
            Actor::Process(process) => self.family.lineage(process),
            Actor::Channel(from, to) => CHANNEL.then(self.family.lineage(from).0).then(self.address(to).0),
            Actor::Timer(reference) => self.family.reference(TIMER, reference),
            Actor::SetUp(a, b) => SET_UP.then(self.node(a).0).then(self.node(b).0),
            Actor::Close(at, other) => CLOSE.then(self.node(at).0).then(self.node(other).0),
        }
    }

    pub(super) fn parent_of(&self, actor: Actor) -> Option<Lineage> {
        match actor {
            Actor::Process(process) => self.family.parent(process).map(|parent| self.family.lineage(parent)),
            Actor::Channel(from, _) => Some(self.family.lineage(from)),
            Actor::Timer(reference) => self.family.maker(reference),
            Actor::SetUp(..) | Actor::Close(..) => None,
        }
    }

    pub(super) fn identity_of(&self, object: Object) -> Lineage {
        match object {
            Object::Local => NOTHING,
            Object::Process(process) => self.family.lineage(process),
            Object::Name(node, name) => self.named(NodeId(node), Symbol(name)),
            Object::Shared(number) => SHARED.then(number),
            Object::Table { table, entry } => TABLE
                .then(u64::from(table))
                .then(entry.map_or(0, |entry| u64::from(entry) + 1)),
            Object::World => EVERYTHING,
        }
    }

    pub(super) fn address(&self, target: Target) -> Lineage {
        match target {
            Target::Process(process) => self.family.lineage(process),
            Target::Name(node, name) => self.named(node, name),
            Target::Alias(reference) => self.family.reference(ALIAS, reference),
        }
    }

    fn named(&self, node: NodeId, name: Symbol) -> Lineage {
        self.node(node).named(self.symbols.name(name))
    }

    fn node(&self, node: NodeId) -> Lineage {
        NODE.named(self.symbols.name(self.network.node(node).symbol))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_left_out_between_two_draws_renames_nobody() {
        let (mut all, mut fewer) = (Family::default(), Family::default());
        for family in [&mut all, &mut fewer] {
            family.born(None);
            family.drawn(ProcessId(0));
        }
        all.born(Some(ProcessId(0)));
        for family in [&mut all, &mut fewer] {
            family.drawn(ProcessId(0));
            family.born(Some(ProcessId(0)));
        }
        assert_eq!(all.lineage(ProcessId(2)), fewer.lineage(ProcessId(1)));
        assert_ne!(all.lineage(ProcessId(1)), fewer.lineage(ProcessId(1)));
    }
}
