//! Search strategies: who decides what happens next.

mod actors;
mod fifo;
mod guided;
mod outside;
mod pct;
#[cfg(test)]
mod plain;
mod plan;
mod pos;
mod priorities;
mod profile;
mod profiler;
mod random;
mod replay;
mod search;
mod standing;
mod surw;
mod swarm;

pub use fifo::Fifo;
pub use guided::{Deed, Done, EVERYTHING, Guided, NOTHING, Trail};
pub use outside::{Answer, Outside};
pub use pct::Pct;
pub use plan::Plan;
pub use pos::Pos;
pub use profile::{PROFILE_VERSION, Profile, ProfileError};
pub use profiler::Profiler;
pub use random::Random;
pub use replay::Replay;
pub use search::{Rule, Search};
pub use surw::Surw;

use crate::clock::Micros;
use crate::ids::{NodeId, ProcessId, RefId};
use crate::op::Target;

/// An event that could happen next, as a strategy sees it.
///
/// Where two of them conflict, their order can matter: see [`Candidate::conflicts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// The process that acts; none for a delivery or a timer.
    pub process: Option<ProcessId>,
    /// What is acted upon.
    pub object: Object,
    /// Whether the object is changed, and not only read.
    pub write: bool,
}

impl Candidate {
    /// Whether the order of the two can matter: they act upon the same thing, and at least one of them changes it.
    pub fn conflicts(&self, other: &Candidate) -> bool {
        (self.write || other.write) && self.object.overlaps(other.object)
    }
}

/// Who acts. In a run it is always the same one, and it has at most one event that can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Actor {
    /// A process.
    Process(ProcessId),
    /// What delivers what a process has sent to an address.
    Channel(ProcessId, Target),
    /// A timer.
    Timer(RefId),
    /// A connection that is being set up between two nodes.
    SetUp(NodeId, NodeId),
    /// What tells the first node that the second has closed their connection.
    Close(NodeId, NodeId),
}

/// Who an actor is, or what an object is, in every schedule of a program: a hash over how it came to be, such as which
/// child of which parent a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lineage(pub u64);

impl Lineage {
    /// The one that is told from others of the same origin by `what`.
    pub fn then(self, what: u64) -> Lineage {
        // The finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
        let mut hash = (self.0 ^ what.wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_add(0x9E37_79B9_7F4A_7C15);
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Lineage(hash ^ (hash >> 31))
    }

    /// The one that is told from others of the same origin by a name.
    pub fn named(self, name: &str) -> Lineage {
        name.bytes()
            .fold(self.then(name.len() as u64), |hash, byte| hash.then(u64::from(byte)))
    }
}

/// What an operation acts upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    /// Nothing that others can see.
    Local,
    /// A process: its mailbox and whether it lives.
    Process(ProcessId),
    /// A registered name of a node.
    Name(u16, u32),
    /// Something known to the BEAM side by a number: the clock.
    Shared(u64),
    /// A table known to the BEAM side by a number: one entry of it, or the whole.
    Table { table: u32, entry: Option<u32> },
    /// Everything: conflicts with all else.
    World,
}

impl Object {
    /// Whether what is done to one of the two can be noticed at the other.
    pub fn overlaps(self, other: Object) -> bool {
        match (self, other) {
            (Object::Local, _) | (_, Object::Local) => false,
            (Object::World, _) | (_, Object::World) => true,
            (Object::Table { table: a, entry: one }, Object::Table { table: b, entry: two }) => {
                a == b && (one.is_none() || two.is_none() || one == two)
            }
            (a, b) => a == b,
        }
    }
}

/// The enabled events, the undisturbed one first.
#[derive(Debug)]
pub struct Candidates<'a> {
    view: &'a dyn CandidateView,
    count: usize,
    due_soon: bool,
}

/// Read access to the enabled events.
pub trait CandidateView: std::fmt::Debug {
    /// The event at a place in the queue.
    fn candidate(&self, index: usize) -> Candidate;
    /// Who acts in it.
    fn actor(&self, index: usize) -> Actor;
    /// Who that is in every schedule.
    fn lineage(&self, index: usize) -> Lineage;
    /// Who has brought its actor into being.
    fn parent(&self, index: usize) -> Option<Lineage>;
    /// What an object is in every schedule.
    fn identity(&self, object: Object) -> Lineage;
    /// Whether it goes on with a `receive`.
    fn receives(&self, _index: usize) -> bool {
        false
    }
    /// The number of the step that the choice leads to.
    fn step(&self) -> u64 {
        0
    }
    /// The slots that have got an event or lost it since there had been so many changes, and how many there have been;
    /// none if that is not known.
    fn changes(&self, _since: u64) -> Option<(&[u32], u64)> {
        None
    }
    /// How many changes there have been.
    fn changed(&self) -> u64 {
        0
    }
    /// The slot of an event, which it keeps.
    fn slot(&self, index: usize) -> u32 {
        index as u32
    }
    /// What orders the events in slots as they are in the queue.
    fn stamp(&self, slot: u32) -> i64 {
        i64::from(slot)
    }
    /// The place in the queue of the event in a slot, if there is one.
    fn index(&self, slot: u32) -> Option<usize> {
        Some(slot as usize)
    }
    /// Whether what the event acts upon stays the same while it waits.
    fn lasts(&self, _index: usize) -> bool {
        false
    }
}

impl<'a> Candidates<'a> {
    /// A view of `count` candidates; `due_soon` says whether something falls due within the longest stall.
    pub fn new(view: &'a dyn CandidateView, count: usize, due_soon: bool) -> Self {
        Candidates { view, count, due_soon }
    }

    /// Whether something falls due within the longest stall.
    pub fn due_soon(&self) -> bool {
        self.due_soon
    }

    /// How many there are; never 0 when a strategy is asked.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The candidate at `index`.
    pub fn get(&self, index: usize) -> Candidate {
        self.view.candidate(index)
    }

    /// Who acts in the candidate at `index`.
    pub fn actor(&self, index: usize) -> Actor {
        self.view.actor(index)
    }

    /// Who the actor of the candidate at `index` is in every schedule.
    pub fn lineage(&self, index: usize) -> Lineage {
        self.view.lineage(index)
    }

    /// Who has brought the actor of the candidate at `index` into being: started the process or the timer, or sent what
    /// is delivered.
    pub fn parent(&self, index: usize) -> Option<Lineage> {
        self.view.parent(index)
    }

    /// What an object is in every schedule. What the BEAM side knows by a number is taken to have it in all of them.
    pub fn identity(&self, object: Object) -> Lineage {
        self.view.identity(object)
    }

    /// Whether the candidate at `index` goes on with a `receive`: had there been a message before, it would not have had
    /// to ask.
    pub fn receives(&self, index: usize) -> bool {
        self.view.receives(index)
    }

    /// The number of the step that the choice leads to.
    pub fn step(&self) -> u64 {
        self.view.step()
    }

    /// The slots of the queue that have got an event or lost it since there had been so many changes, and how many there
    /// have been now. None if that is not known: then whoever keeps the candidates has to look at all of them.
    pub fn changes(&self, since: u64) -> Option<(&[u32], u64)> {
        self.view.changes(since)
    }

    /// How many changes there have been.
    pub fn changed(&self) -> u64 {
        self.view.changed()
    }

    /// The slot of the candidate at `index`, which it keeps as long as it is one.
    pub fn slot(&self, index: usize) -> u32 {
        self.view.slot(index)
    }

    /// What orders the candidates in slots as they are in the queue.
    pub fn stamp(&self, slot: u32) -> i64 {
        self.view.stamp(slot)
    }

    /// Where the candidate in a slot is, if there is one.
    pub fn index(&self, slot: u32) -> Option<usize> {
        self.view.index(slot)
    }

    /// Whether what the candidate at `index` acts upon stays the same as long as it is one.
    pub fn lasts(&self, index: usize) -> bool {
        self.view.lasts(index)
    }
}

/// A search strategy. Every method answers with a choice; 0 is always the undisturbed one.
pub trait Strategy: std::fmt::Debug + Send {
    /// The next event: an index into `candidates`. Where `choices` is twice their number, `candidates.len() + i`
    /// holds candidate `i` back instead.
    fn schedule(&mut self, candidates: &Candidates<'_>, choices: usize) -> usize;

    /// There is only one candidate, and it happens.
    fn forced(&mut self, candidates: &Candidates<'_>) {
        let _ = candidates;
    }

    /// A process has taken what was in its mailbox.
    fn looked(&mut self, process: ProcessId) {
        let _ = process;
    }

    /// How long a process is held back: 1 to `max`. `upcoming` says how long it is until each of the next deadlines, as
    /// far as `max` reaches: the interesting moments to come back at.
    fn stall(&mut self, max: Micros, upcoming: &[Micros]) -> Micros;

    /// How long a message between nodes is under way: 0 to `max`.
    fn latency(&mut self, max: Micros) -> Micros;

    /// What a fault injector does next: one of `count` things, of which 0 is nothing.
    fn fault(&mut self, count: u64) -> u64;

    /// Whether the choices are made outside: see [`Outside`].
    fn is_outside(&self) -> bool {
        false
    }

    /// The next choice, which was made outside.
    fn answer(&mut self, answer: Answer) {
        let _ = answer;
    }

    /// What the strategy has found out about the program.
    fn profile(&self) -> Option<Profile> {
        None
    }

    /// For a strategy that follows a trail: what has been done so far.
    fn trail(&self) -> Option<&Trail> {
        None
    }

    /// For a replay: the number of the first logged choice that did not fit.
    fn divergence(&self) -> Option<u64> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(object: Object, write: bool) -> Candidate {
        Candidate {
            process: None,
            object,
            write,
        }
    }

    fn entry(table: u32, entry: u32) -> Object {
        Object::Table {
            table,
            entry: Some(entry),
        }
    }

    fn whole(table: u32) -> Object {
        Object::Table { table, entry: None }
    }

    #[test]
    fn two_reads_never_conflict() {
        for object in [whole(1), entry(1, 2), Object::World, Object::Shared(3)] {
            assert!(!candidate(object, false).conflicts(&candidate(object, false)));
            assert!(candidate(object, true).conflicts(&candidate(object, false)));
            assert!(candidate(object, false).conflicts(&candidate(object, true)));
        }
    }

    #[test]
    fn a_table_conflicts_with_its_entries_and_they_with_themselves_only() {
        let overlapping = [
            (whole(1), whole(1)),
            (whole(1), entry(1, 2)),
            (entry(1, 2), whole(1)),
            (entry(1, 2), entry(1, 2)),
        ];
        let apart = [
            (whole(1), whole(2)),
            (whole(1), entry(2, 2)),
            (entry(1, 2), entry(1, 3)),
            (entry(1, 2), entry(2, 2)),
            (entry(1, 2), Object::Shared(1)),
            (whole(1), Object::Process(ProcessId(1))),
        ];
        assert!(overlapping.iter().all(|(a, b)| a.overlaps(*b)));
        assert!(apart.iter().all(|(a, b)| !a.overlaps(*b) && !b.overlaps(*a)));
    }

    #[test]
    fn the_world_is_everything_and_the_local_nothing() {
        let all = [
            Object::Process(ProcessId(1)),
            Object::Name(0, 1),
            whole(1),
            entry(1, 2),
            Object::World,
        ];
        assert!(all.iter().all(|object| object.overlaps(Object::World)));
        assert!(all.iter().all(|object| !object.overlaps(Object::Local)));
        assert!(!Object::Local.overlaps(Object::Local));
    }
}
