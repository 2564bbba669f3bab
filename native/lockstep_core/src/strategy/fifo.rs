use super::{Candidates, Strategy};
use crate::clock::Micros;

/// The undisturbed schedule: a process runs until it blocks, then the one that has waited longest; no delays.
#[derive(Debug, Default)]
pub struct Fifo;

impl Strategy for Fifo {
    fn schedule(&mut self, _candidates: &Candidates<'_>, _choices: usize) -> usize {
        0
    }

    fn stall(&mut self, _max: Micros, _upcoming: &[Micros]) -> Micros {
        1
    }

    fn latency(&mut self, _max: Micros) -> Micros {
        0
    }

    fn fault(&mut self, _count: u64) -> u64 {
        0
    }
}
