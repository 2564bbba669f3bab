//! What the core knows of one process.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::{Deadline, Micros};
use crate::ids::{MessageId, NodeId, ProcessId, RefId, Symbol};
use crate::op::{ExitClass, Item, Op, Target};

/// A living process.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) node: NodeId,
    pub(crate) state: State,
    /// Delivered, and not yet fetched by the process.
    pub(crate) inbox: Vec<Item>,
    /// Which of it has come through an alias, and through which.
    pub(crate) aliased: Vec<(RefId, MessageId)>,
    pub(crate) trap_exit: bool,
    pub(crate) links: BTreeSet<ProcessId>,
    /// The monitors that this process has set; one on a name stays with the process that had it when it got there.
    pub(crate) watching: BTreeMap<RefId, Target>,
    /// The monitors that others have set on this process.
    pub(crate) watched_by: BTreeMap<RefId, ProcessId>,
    /// The processes that it has asked for and not yet heard of.
    pub(crate) requests: BTreeMap<RefId, Requested>,
    /// Whom it keeps from taking steps, and how often it has said so.
    pub(crate) suspending: BTreeMap<ProcessId, u32>,
    /// Who keeps it from taking steps.
    pub(crate) suspended_by: BTreeSet<ProcessId>,
    /// Its node is paused.
    pub(crate) frozen: bool,
    /// How many pauses of itself it is in.
    pub(crate) pauses: u32,
    /// The node that it has sent something to that waits to get out of its own.
    pub(crate) stuck: Option<NodeId>,
    /// The node that it can send to only later, and has to: it takes no step until then.
    pub(crate) kept_by: Option<NodeId>,
    /// Its `receive` timed out while it was suspended.
    pub(crate) expired: bool,
    /// The timers that are to fire for it. They end with it.
    pub(crate) timers: BTreeSet<RefId>,
    pub(crate) name: Option<Symbol>,
    /// Under which number a process of another node has last given it a group leader.
    pub(crate) led: Option<MessageId>,
    /// Whether it owns something shared, which ends with it or goes to others.
    pub(crate) owner: bool,
    /// When the `receive` that it is in times out.
    pub(crate) receive_until: Option<Micros>,
    /// How many numbers it has drawn.
    pub(crate) draws: u32,
    /// It has looked at what was there when the time of the `receive` was up.
    pub(crate) polled: bool,
    /// The deadline that is set for it: of a receive, or of being held back.
    pub(crate) deadline: Option<Deadline>,
    /// How many steps it has taken without a pause.
    pub(crate) slice: u32,
}

/// A process that was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Requested {
    pub(crate) child: ProcessId,
    /// The number of the answer.
    pub(crate) id: MessageId,
    /// Whether a failure is answered.
    pub(crate) failure: bool,
}

/// Where a process stands between two steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// It was asked for on another node, where nobody knows of it yet.
    Unborn,
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
            aliased: Vec::new(),
            trap_exit: false,
            links: BTreeSet::new(),
            watching: BTreeMap::new(),
            watched_by: BTreeMap::new(),
            requests: BTreeMap::new(),
            suspending: BTreeMap::new(),
            suspended_by: BTreeSet::new(),
            frozen: false,
            pauses: 0,
            stuck: None,
            kept_by: None,
            expired: false,
            timers: BTreeSet::new(),
            name: None,
            led: None,
            owner: false,
            receive_until: None,
            draws: 0,
            polled: false,
            deadline: None,
            slice: 0,
        }
    }

    /// How many links, monitors and suspensions it has an end of.
    pub(crate) fn ties(&self) -> usize {
        let suspensions = self.suspending.len() + self.suspended_by.len();
        self.links.len() + self.watching.len() + self.watched_by.len() + suspensions
    }

    /// An alias ends: what has come through it and has not been looked at is lost. The VM, too, asks whether an alias is
    /// active when the receiver takes a message from its queue. Which of what has been delivered stays.
    pub(crate) fn drop_aliased(&mut self, alias: RefId) -> Vec<bool> {
        let (gone, left): (Vec<_>, Vec<_>) = self.aliased.drain(..).partition(|&(through, _)| through == alias);
        self.aliased = left;
        let stays = |item: &Item| gone.iter().all(|&(_, id)| *item != Item::Term(id));
        let stay = self.inbox.iter().map(stays).collect();
        self.inbox.retain(stays);
        stay
    }

    pub(crate) fn is_suspended(&self) -> bool {
        self.frozen || self.pauses > 0 || self.kept_by.is_some() || !self.suspended_by.is_empty()
    }
}
