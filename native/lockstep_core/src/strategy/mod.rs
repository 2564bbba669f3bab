//! Search strategies: who decides what happens next.

mod fifo;
mod random;
mod replay;

pub use fifo::Fifo;
pub use random::Random;
pub use replay::Replay;

use crate::clock::Micros;
use crate::ids::ProcessId;

/// An event that could happen next, as a strategy sees it.
///
/// Two candidates with the same object, at least one of them writing, conflict: their order can matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// The process that acts; none for a delivery or a timer.
    pub process: Option<ProcessId>,
    /// What is acted upon.
    pub object: Object,
    /// Whether the object is changed, and not only read.
    pub write: bool,
}

/// What an operation acts upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    /// Nothing that others can see.
    Local,
    /// A process: its mailbox and whether it lives.
    Process(ProcessId),
    /// A registered name of a node.
    Name(u16, u32),
    /// Something known to the BEAM side by a number: a table and key, the clock.
    Shared(u64),
    /// Everything: conflicts with all else.
    World,
}

/// The enabled events, the undisturbed one first.
#[derive(Debug)]
pub struct Candidates<'a> {
    view: &'a dyn CandidateView,
    count: usize,
}

/// Read access to the enabled events.
pub trait CandidateView: std::fmt::Debug {
    /// The event at a place in the queue.
    fn candidate(&self, index: usize) -> Candidate;
}

impl<'a> Candidates<'a> {
    /// A view of `count` candidates.
    pub fn new(view: &'a dyn CandidateView, count: usize) -> Self {
        Candidates { view, count }
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
}

/// A search strategy. Every method answers with a choice; 0 is always the undisturbed one.
pub trait Strategy: std::fmt::Debug + Send {
    /// The next event: an index into `candidates`. Where `choices` is twice their number, `candidates.len() + i`
    /// holds candidate `i` back instead.
    fn schedule(&mut self, candidates: &Candidates<'_>, choices: usize) -> usize;

    /// How long a process is held back: 1 to `max`. `next` is how long until the next deadline, which is the
    /// interesting moment to come back at.
    fn stall(&mut self, max: Micros, next: Option<Micros>) -> Micros;

    /// How long a message between nodes is under way: 0 to `max`.
    fn latency(&mut self, max: Micros) -> Micros;

    /// For a replay: the number of the first logged choice that did not fit.
    fn divergence(&self) -> Option<u64> {
        None
    }
}
