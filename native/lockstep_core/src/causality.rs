//! What the events of a run touch, and a hash of the order of those that conflict.
//!
//! Two schedules that differ only in the order of events that do not conflict are the same run to the program: they
//! belong to one Mazurkiewicz trace. The hash is that of the trace. An event is known by who acts and by the how-manieth
//! it is of that actor, which no schedule changes; into its hash go those of the latest events before it that it
//! conflicts with, and the hash of the run is the sum of those of all events that conflict with an earlier one. So it does
//! not matter in which order events come that do not conflict, and nothing has to be kept of an event but its hash.

use crate::clock::Micros;
use crate::hashed::Hashed;
use crate::ids::{NodeId, ProcessId, RefId, Symbol};
use crate::journal::{Journal, NOWHERE};
use crate::strategy::{Actor, Lineage};

/// Something that more than one process can touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

    /// In a sum of marks, one has become another.
    fn exchange(&mut self, before: Mark, after: Mark) {
        self.written = self.written.wrapping_sub(before.written).wrapping_add(after.written);
        self.read = self.read.wrapping_sub(before.read).wrapping_add(after.read);
    }
}

/// What is kept of something that is no process.
#[derive(Debug, Clone, Copy, Default)]
struct Kept {
    mark: Mark,
    /// Of a whole table: the sums of the marks of its entries.
    entries: Mark,
    /// Of a whole table: how often it has been changed as such. Of an entry: what that was when the entry was last touched.
    changes: u64,
    /// Of an entry: where its table is kept.
    table: usize,
    /// Since when this counts.
    era: u64,
}

/// What is kept of a process, also when it has ended.
#[derive(Debug, Clone, Copy, Default)]
struct Lasting {
    /// How many events it has had.
    count: u64,
    /// Of which era its actions are, and where they are kept in that.
    era: u64,
    place: u32,
    /// Whether it traps exits, or did when it ended.
    traps: bool,
}

/// What is kept of a process in an era in which it does something, or something is done to it.
#[derive(Debug, Clone, Copy, Default)]
struct Actions {
    /// The hash of its last event.
    last: u64,
    /// The hash of the last event that may have stopped it.
    stopped: u64,
    mailbox: Mark,
    life: Mark,
    trapping: Mark,
    label: Mark,
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
    /// By number.
    processes: Vec<Lasting>,
    actions: Vec<Actions>,
    kept: Vec<Kept>,
    /// Where each thing is kept.
    places: Hashed<Thing, usize>,
    /// Where what the event touches is kept, in the order of the touches.
    touched: Vec<usize>,
    /// The sum of the hashes of all events.
    all: u64,
    /// The sum of those that conflict with an earlier one.
    ordered: u64,
    /// What every event now comes after, wherever it acts: the last that touched everything, the last jump of the clock.
    base: u64,
    /// How often that has changed: what was before counts no longer.
    eras: u64,
    journal: Option<Box<Journal>>,
}

/// Which event has sent something, and by which name it is known in every schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cause {
    pub(crate) identity: Lineage,
    /// Its place in the journal, if one is kept.
    pub(crate) step: u32,
}

/// More than so many things are not kept beyond an event that all others come after.
const KEPT: usize = 1024;
/// Keeps the events of processes apart from the processes that they start.
const EVENT: u64 = 1 << 63;

impl Causality {
    /// An event of a process begins; the one before it is over.
    pub(crate) fn begin_of(&mut self, process: ProcessId, lineage: Lineage) {
        self.close();
        let lasting = self.lasting(process);
        lasting.count += 1;
        let identity = lineage.then(lasting.count | EVENT);
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
        self.lasting(process).traps = on;
    }

    /// Whether a process traps exits, or did when it ended.
    pub(crate) fn trapped(&mut self, process: ProcessId) -> bool {
        self.lasting(process).traps
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
            self.order(identity, process, &touches);
        }
        if let Some(journal) = &mut self.journal {
            journal.end(process, &touches);
        }
        self.touches = touches;
        self.touches.clear();
    }

    /// The event comes after those that it conflicts with, and what conflicts with it comes after it.
    fn order(&mut self, identity: Lineage, process: Option<ProcessId>, touches: &[Touch]) {
        let mut before = process.map_or(0, |process| self.actions_of(process).stopped);
        self.touched.clear();
        for &touch in touches {
            let place = self.place(touch.thing);
            self.touched.push(place);
            before = before.wrapping_add(self.before(touch, place));
        }
        let hash = identity.then(self.base).then(before).0;
        self.count(hash, before != 0);
        for (number, &touch) in touches.iter().enumerate() {
            self.mark(touch, self.touched[number], hash);
        }
        if let Some(process) = process {
            self.actions_of(process).last = hash;
        }
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
        self.eras += 1;
        self.actions.clear();
        if self.kept.len() > KEPT {
            self.kept.clear();
            self.places.clear();
        }
    }

    /// Where something is kept; what is known of a process is kept elsewhere.
    fn place(&mut self, thing: Thing) -> usize {
        match thing {
            Thing::Mailbox(_) | Thing::Life(_) | Thing::Acts(_) | Thing::Traps(_) | Thing::Label(_) => 0,
            Thing::Table { table, entry: Some(_) } => {
                let table = self.keep_thing(Thing::Table { table, entry: None }, 0);
                let place = self.keep_thing(thing, table);
                self.follow_table(place);
                place
            }
            _ => self.keep_thing(thing, 0),
        }
    }

    fn keep_thing(&mut self, thing: Thing, table: usize) -> usize {
        let new = self.kept.len();
        let place = *self.places.entry(thing).or_insert(new);
        if place == new {
            self.kept.push(Kept::default());
        }
        let era = self.era();
        let kept = &mut self.kept[place];
        if kept.era != era {
            *kept = Kept {
                table,
                era,
                ..Kept::default()
            };
        }
        place
    }

    /// A change of the whole table comes after all that was done to the entry before.
    fn follow_table(&mut self, entry: usize) {
        let changes = self.kept[self.kept[entry].table].changes;
        let kept = &mut self.kept[entry];
        if kept.changes != changes {
            (kept.mark, kept.changes) = (Mark::default(), changes);
        }
    }

    fn before(&mut self, Touch { thing, write }: Touch, place: usize) -> u64 {
        match thing {
            Thing::Acts(process) => {
                let actions = self.actions_of(process);
                actions.last.wrapping_add(actions.stopped)
            }
            Thing::Table { entry: None, .. } => {
                let Kept { mark, entries, .. } = self.kept[place];
                mark.before(write).wrapping_add(entries.before(write))
            }
            Thing::Table { entry: Some(_), .. } => {
                let Kept { mark, table, .. } = self.kept[place];
                self.kept[table].mark.before(write).wrapping_add(mark.before(write))
            }
            _ => self.mark_of(thing, place).before(write),
        }
    }

    fn mark(&mut self, Touch { thing, write }: Touch, place: usize, hash: u64) {
        match thing {
            Thing::Acts(process) => self.actions_of(process).stopped = hash,
            Thing::Table { entry: None, .. } if write => {
                let kept = &mut self.kept[place];
                kept.changes += 1;
                kept.entries = Mark::default();
                kept.mark.add(hash, true);
            }
            Thing::Table { entry: Some(_), .. } => {
                self.follow_table(place);
                let (before, table) = (self.kept[place].mark, self.kept[place].table);
                self.kept[place].mark.add(hash, write);
                let after = self.kept[place].mark;
                self.kept[table].entries.exchange(before, after);
            }
            _ => self.mark_of(thing, place).add(hash, write),
        }
    }

    fn mark_of(&mut self, thing: Thing, place: usize) -> &mut Mark {
        match thing {
            Thing::Mailbox(process) => &mut self.actions_of(process).mailbox,
            Thing::Life(process) => &mut self.actions_of(process).life,
            Thing::Traps(process) => &mut self.actions_of(process).trapping,
            Thing::Label(process) => &mut self.actions_of(process).label,
            _ => &mut self.kept[place].mark,
        }
    }

    /// The number of the era, from 1.
    fn era(&self) -> u64 {
        self.eras + 1
    }

    fn lasting(&mut self, process: ProcessId) -> &mut Lasting {
        let index = process.0 as usize;
        if index >= self.processes.len() {
            self.processes.resize(index + 1, Lasting::default());
        }
        &mut self.processes[index]
    }

    fn actions_of(&mut self, process: ProcessId) -> &mut Actions {
        let (era, new) = (self.era(), self.actions.len());
        let lasting = self.lasting(process);
        if lasting.era != era {
            (lasting.era, lasting.place) = (era, new as u32);
        }
        let place = lasting.place as usize;
        if place == new {
            self.actions.push(Actions::default());
        }
        &mut self.actions[place]
    }
}
