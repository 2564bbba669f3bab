//! What the events of a run touch, and a hash of the order of those that conflict.
//!
//! Two schedules that differ only in the order of events that do not conflict are the same run to the program: they
//! belong to one Mazurkiewicz trace. The hash is that of the trace. An event is known by who acts and by the how-manieth
//! it is of that actor, which no schedule changes; into its hash go those of the latest events before it that it
//! conflicts with, and the hash of the run is the sum of those of all events that conflict with an earlier one. So it does
//! not matter in which order events come that do not conflict, and nothing has to be kept of an event but its hash.

use std::collections::BTreeMap;

use crate::clock::Micros;
use crate::ids::{NodeId, ProcessId, RefId, Symbol};
use crate::journal::{Journal, NOWHERE};
use crate::strategy::{Actor, Lineage};

/// Something that more than one process can touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thing {
    /// What has arrived at a process.
    Mailbox(ProcessId),
    /// Whether a process lives: changed by its end, read by whatever depends on that.
    Life(ProcessId),
    /// All that a process does: each of its events reads it, whatever may stop the process changes it.
    Acts(ProcessId),
    /// Whether a process traps exits.
    Traps(ProcessId),
    /// Which name a process has.
    Label(ProcessId),
    /// Who has a name on a node.
    Name(NodeId, Symbol),
    /// A timer.
    Timer(RefId),
    /// A monitor or an alias.
    Watch(RefId),
    /// The link between two processes, the smaller number first.
    Tie(ProcessId, ProcessId),
    /// Something known to the BEAM side by a number.
    Shared(u64),
    /// A table known to the BEAM side by a number: one entry of it, or the whole.
    Table {
        /// The table.
        table: u32,
        /// The entry.
        entry: Option<u32>,
    },
    /// Everything there is. Nobody only reads it.
    World,
}

impl Thing {
    /// The link between two processes.
    pub fn tie(one: ProcessId, other: ProcessId) -> Thing {
        Thing::Tie(one.min(other), one.max(other))
    }

    fn overlaps(self, other: Thing) -> bool {
        match (self, other) {
            (Thing::World, _) | (_, Thing::World) => true,
            (Thing::Table { table: a, entry: one }, Thing::Table { table: b, entry: two }) => {
                a == b && (one.is_none() || two.is_none() || one == two)
            }
            (one, other) => one == other,
        }
    }
}

/// That an event touches something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touch {
    /// What.
    pub thing: Thing,
    /// Whether it is changed, and not only read.
    pub write: bool,
}

impl Touch {
    /// Whether the order of the two can matter.
    pub fn conflicts(self, other: Touch) -> bool {
        (self.write || other.write) && self.thing.overlaps(other.thing)
    }
}

/// Whether the order of two events that touch this can matter.
pub fn conflict(one: &[Touch], other: &[Touch]) -> bool {
    one.iter().any(|a| other.iter().any(|b| a.conflicts(*b)))
}

/// Who last touched something: the hash of the last event that changed it, and the sum of those that have read it since.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    written: u64,
    read: u64,
}

impl Mark {
    /// What an event that touches it now comes after.
    fn before(self, write: bool) -> u64 {
        if write {
            self.written.wrapping_add(self.read)
        } else {
            self.written
        }
    }

    fn add(&mut self, hash: u64, write: bool) {
        if write {
            *self = Mark { written: hash, read: 0 };
        } else {
            self.read = self.read.wrapping_add(hash);
        }
    }
}

/// What is kept of a process.
#[derive(Debug, Clone, Copy, Default)]
struct Actions {
    /// How many events it has had.
    count: u64,
    /// The hash of the last one.
    last: u64,
    /// The hash of the last event that may have stopped it.
    stopped: u64,
    /// Whether it traps exits, or did when it ended.
    traps: bool,
    mailbox: Mark,
    /// Since when this counts.
    era: u64,
}

/// The event that is happening.
#[derive(Debug, Clone, Copy)]
struct Current {
    identity: Lineage,
    process: Option<ProcessId>,
}

/// The hash of the trace so far.
#[derive(Debug, Default)]
pub(crate) struct Causality {
    current: Option<Current>,
    touches: Vec<Touch>,
    actions: Vec<Actions>,
    marks: BTreeMap<Thing, Mark>,
    /// The sum of the hashes of all events.
    all: u64,
    /// The sum of those that conflict with an earlier one.
    ordered: u64,
    /// What every event now comes after, wherever it acts: the last that touched everything, the last jump of the clock.
    base: u64,
    /// How often that has changed: what is known of a process from before counts no longer.
    era: u64,
    journal: Option<Box<Journal>>,
}

/// Which event has sent something, and by which name it is known in every schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cause {
    pub(crate) identity: Lineage,
    /// Its place in the journal, if one is kept.
    pub(crate) step: u32,
}

/// Keeps the events of processes apart from the processes that they start.
const EVENT: u64 = 1 << 63;

impl Causality {
    /// An event of a process begins; the one before it is over.
    pub(crate) fn begin_of(&mut self, process: ProcessId, lineage: Lineage) {
        self.close();
        let actions = self.actions_of(process);
        actions.count += 1;
        let identity = lineage.then(actions.count | EVENT);
        self.current = Some(Current {
            identity,
            process: Some(process),
        });
        if let Some(journal) = &mut self.journal {
            journal.begin_of(process);
        }
    }

    /// An event begins that no process has announced, but another event has brought about; the one before it is over.
    pub(crate) fn begin(&mut self, actor: Actor, cause: Cause) {
        self.close();
        self.current = Some(Current {
            identity: cause.identity,
            process: None,
        });
        if let Some(journal) = &mut self.journal {
            journal.begin(actor, cause.step);
        }
    }

    /// The event that is happening: what it sends to `to` is known by that.
    pub(crate) fn cause(&self, to: Lineage) -> Cause {
        let identity = self.current.map_or(Lineage(self.base), |current| current.identity);
        Cause {
            identity: identity.then(to.0),
            step: self.step(),
        }
    }

    fn step(&self) -> u32 {
        match (&self.journal, self.current) {
            (Some(journal), Some(_)) => journal.latest(),
            _ => NOWHERE,
        }
    }

    /// What happens now comes after all else by decree: it races with nothing.
    pub(crate) fn comes_last(&mut self) {
        self.close();
        if let Some(journal) = &mut self.journal {
            journal.jump();
        }
    }

    /// From now on a journal is kept.
    pub(crate) fn keep(&mut self, journal: Box<Journal>) {
        self.journal = Some(journal);
    }

    /// The journal, whose last event is over.
    pub(crate) fn journal(&mut self) -> Option<&Journal> {
        self.close();
        self.journal.as_deref()
    }

    /// The journal of a run that is over.
    pub(crate) fn take_journal(&mut self) -> Option<Box<Journal>> {
        self.close();
        self.journal.take()
    }

    /// The event that is happening has enabled a process: its next event comes after this one.
    pub(crate) fn enabled(&mut self, process: ProcessId) {
        let step = self.step();
        if let Some(journal) = &mut self.journal {
            journal.join(process, step);
        }
    }

    /// Something has arrived at a process.
    pub(crate) fn arrived(&mut self, process: ProcessId) {
        let step = self.step();
        if let Some(journal) = &mut self.journal {
            journal.arrived(process, step);
        }
    }

    /// Of what has arrived at a process, and it has not fetched, only this is left.
    pub(crate) fn left(&mut self, process: ProcessId, left: &[bool]) {
        if let Some(journal) = &mut self.journal {
            journal.left(process, left);
        }
    }

    /// A process has fetched all that has arrived.
    pub(crate) fn fetched(&mut self, process: ProcessId) {
        if let Some(journal) = &mut self.journal {
            journal.fetched(process);
        }
    }

    /// A process goes on because of what is at this place of what it has fetched; `take`s it or leaves it there.
    pub(crate) fn took(&mut self, process: ProcessId, place: usize, take: bool) {
        if let Some(journal) = &mut self.journal {
            journal.took(process, place, take);
        }
    }

    /// The event that is happening touches something. What happens by itself when its time has come comes after all that
    /// was before.
    pub(crate) fn touch(&mut self, thing: Thing, write: bool) {
        if self.current.is_none() {
            return;
        }
        match self.touches.iter_mut().find(|touch| touch.thing == thing) {
            Some(touch) => touch.write |= write,
            None => self.touches.push(Touch { thing, write }),
        }
    }

    /// Notes whether a process traps exits.
    pub(crate) fn traps(&mut self, process: ProcessId, on: bool) {
        self.actions_of(process).traps = on;
    }

    /// Whether a process traps exits, or did when it ended.
    pub(crate) fn trapped(&mut self, process: ProcessId) -> bool {
        self.actions_of(process).traps
    }

    /// What is decided besides the order of events.
    pub(crate) fn decided(&mut self, what: u64) {
        if let Some(current) = &mut self.current {
            current.identity = current.identity.then(what);
        }
    }

    /// The clock jumps: it does so only when nothing else can happen, so everything before comes before everything after.
    pub(crate) fn jump(&mut self, now: Micros) {
        self.close();
        let hash = Lineage(self.base).then(self.all).then(now).0;
        self.ordered = self.ordered.wrapping_add(hash);
        self.renew(hash);
        if let Some(journal) = &mut self.journal {
            journal.jump();
        }
    }

    /// The hash of the trace, the event that is happening included.
    pub(crate) fn hash(&mut self) -> u64 {
        self.close();
        self.ordered
    }

    /// The event that is happening is over.
    pub(crate) fn close(&mut self) {
        let Some(Current { identity, process }) = self.current.take() else {
            return;
        };
        let touches = std::mem::take(&mut self.touches);
        if touches.iter().any(|touch| touch.thing == Thing::World) {
            let hash = identity.then(self.base).then(self.all).0;
            self.count(hash, true);
            self.renew(hash);
        } else {
            let stopped = process.map_or(0, |process| self.actions_of(process).stopped);
            let before = touches
                .iter()
                .fold(stopped, |sum, &touch| sum.wrapping_add(self.before(touch)));
            let hash = identity.then(self.base).then(before).0;
            self.count(hash, before != 0);
            for &touch in &touches {
                self.mark(touch, hash);
            }
            if let Some(process) = process {
                self.actions_of(process).last = hash;
            }
        }
        if let Some(journal) = &mut self.journal {
            journal.end(process, &touches);
        }
        self.touches = touches;
        self.touches.clear();
    }

    fn count(&mut self, hash: u64, ordered: bool) {
        self.all = self.all.wrapping_add(hash);
        if ordered {
            self.ordered = self.ordered.wrapping_add(hash);
        }
    }

    /// From now on everything comes after this.
    fn renew(&mut self, base: u64) {
        self.base = base;
        self.era += 1;
        self.marks.clear();
    }

    fn before(&mut self, Touch { thing, write }: Touch) -> u64 {
        match thing {
            Thing::Mailbox(process) => self.actions_of(process).mailbox.before(write),
            Thing::Acts(process) => {
                let actions = self.actions_of(process);
                actions.last.wrapping_add(actions.stopped)
            }
            Thing::Table { table, entry: None } => {
                let parts = self.marks.range(thing..=last_of(table));
                parts.fold(0, |sum, (_, mark)| sum.wrapping_add(mark.before(write)))
            }
            Thing::Table { table, .. } => {
                let whole = self.mark_of(Thing::Table { table, entry: None });
                whole.before(write).wrapping_add(self.mark_of(thing).before(write))
            }
            _ => self.mark_of(thing).before(write),
        }
    }

    fn mark(&mut self, Touch { thing, write }: Touch, hash: u64) {
        match thing {
            Thing::Mailbox(process) => self.actions_of(process).mailbox.add(hash, write),
            Thing::Acts(process) => self.actions_of(process).stopped = hash,
            Thing::Table { table, entry: None } if write => {
                let parts: Vec<Thing> = self
                    .marks
                    .range(thing..=last_of(table))
                    .map(|(&part, _)| part)
                    .collect();
                for part in parts {
                    self.marks.remove(&part);
                }
                self.marks.insert(thing, Mark { written: hash, read: 0 });
            }
            _ => self.marks.entry(thing).or_default().add(hash, write),
        }
    }

    fn mark_of(&self, thing: Thing) -> Mark {
        self.marks.get(&thing).copied().unwrap_or_default()
    }

    fn actions_of(&mut self, process: ProcessId) -> &mut Actions {
        let index = process.0 as usize;
        if index >= self.actions.len() {
            self.actions.resize(index + 1, Actions::default());
        }
        let actions = &mut self.actions[index];
        if actions.era != self.era {
            *actions = Actions {
                count: actions.count,
                traps: actions.traps,
                era: self.era,
                ..Actions::default()
            };
        }
        actions
    }
}

fn last_of(table: u32) -> Thing {
    Thing::Table {
        table,
        entry: Some(u32::MAX),
    }
}
