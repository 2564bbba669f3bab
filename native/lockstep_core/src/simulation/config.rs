//! What a run is to be like: its limits, what may happen in it, and what counts as a failure.

use crate::clock::Micros;

/// The settings of a run. Times are virtual microseconds.
#[derive(Debug, Clone)]
pub struct Config {
    /// The seed of the program's own randomness.
    pub seed: u64,
    /// The run ends with [`Outcome::StepLimit`](super::Outcome::StepLimit) after so many steps.
    pub max_steps: u64,
    /// The run ends with [`Outcome::TimeLimit`](super::Outcome::TimeLimit) when the clock passes this.
    pub max_virtual_time: Micros,
    /// How long a process may be held back at most; 0 for never.
    pub max_stall: Micros,
    /// How long a message between nodes may be under way at most.
    pub max_latency: Micros,
    /// Whether a message on one node, too, is delivered in a step of its own.
    pub async_delivery: bool,
    /// Whether all that goes from one node to another arrives in the order it was sent.
    pub node_order: bool,
    /// Whether the run goes on after the main process until nothing can happen any more.
    pub quiescence: bool,
    /// Whether any process that crashes fails the run.
    pub fail_on_crash: bool,
    /// Whether a process that waits for ever at the end fails the run.
    pub fail_on_blocked: bool,
    /// Whether events and choices are kept.
    pub record: bool,
    /// The control node's name.
    pub control: String,
}
