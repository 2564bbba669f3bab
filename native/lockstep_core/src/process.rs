//! What the core knows of one process.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::{Deadline, Micros};
use crate::ids::{NodeId, ProcessId, RefId, Symbol};
use crate::op::{ExitClass, Item, Op};

/// A living process.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) node: NodeId,
    pub(crate) state: State,
    /// Delivered, and not yet fetched by the process.
    pub(crate) inbox: Vec<Item>,
    pub(crate) trap_exit: bool,
    pub(crate) links: BTreeSet<ProcessId>,
    /// The monitors that this process has set; one on a name stays with the process that had it.
    pub(crate) watching: BTreeMap<RefId, ProcessId>,
    /// The monitors that others have set on this process.
    pub(crate) watched_by: BTreeMap<RefId, ProcessId>,
    /// The timers that are to fire for it. They end with it.
    pub(crate) timers: BTreeSet<RefId>,
    pub(crate) name: Option<Symbol>,
    /// Whether it serves the others: that it waits for ever says nothing.
    pub(crate) daemon: bool,
    /// Whether it owns something shared, which ends with it or goes to others.
    pub(crate) owner: bool,
    /// When the `receive` that it is in times out.
    pub(crate) receive_until: Option<Micros>,
    /// The deadline that is set for it: of a receive, or of being held back.
    pub(crate) deadline: Option<Deadline>,
    /// Who has suspended it, and how often.
    pub(crate) suspended_by: BTreeMap<ProcessId, u32>,
    /// Whom it has suspended.
    pub(crate) suspending: BTreeSet<ProcessId>,
    /// How many steps it has taken without a pause.
    pub(crate) slice: u32,
}

/// Where a process stands between two steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// It runs, and has not yet announced its next operation.
    Running,
    /// It has announced an operation that can be done: it is in the queue.
    Enabled(Op),
    /// It waits for a message.
    Waiting,
    /// It could go on, and is held back.
    Stalled(Op),
    /// It has been killed, with a reason of this kind, and is not yet gone.
    Ending(ExitClass),
}

impl Process {
    pub(crate) fn new(node: NodeId) -> Self {
        Process {
            node,
            state: State::Running,
            inbox: Vec::new(),
            trap_exit: false,
            links: BTreeSet::new(),
            watching: BTreeMap::new(),
            watched_by: BTreeMap::new(),
            timers: BTreeSet::new(),
            name: None,
            daemon: false,
            owner: false,
            receive_until: None,
            deadline: None,
            suspended_by: BTreeMap::new(),
            suspending: BTreeSet::new(),
            slice: 0,
        }
    }

    /// How many links and monitors it has an end of.
    pub(crate) fn ties(&self) -> usize {
        self.links.len() + self.watching.len() + self.watched_by.len()
    }
}
