//! Choices that are made outside of the core: what there is to choose from, and what was chosen.

use super::{Misuse, Next, Simulation, Turn, UPCOMING};
use crate::clock::Micros;
use crate::strategy::{Actor, Answer, Candidate, CandidateView, Lineage};

/// A choice that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The events that can happen, the undisturbed one first.
    pub events: Vec<Offered>,
    /// How long a process may be held back; 0 is not at all.
    pub max_stall: Micros,
    /// How long it is until each of the next deadlines, as far as that reaches.
    pub upcoming: Vec<Micros>,
}

/// An event that can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offered {
    /// Who acts.
    pub actor: Actor,
    /// Who that is in every schedule.
    pub lineage: Lineage,
    /// Upon what, and whether it changes it.
    pub candidate: Candidate,
    /// What that is in every schedule.
    pub identity: Lineage,
}

impl Simulation {
    /// Whether the next choice is to be made outside, and there is one.
    pub(super) fn asks(&self) -> bool {
        self.choices.asks() && !self.queue.is_empty() && (self.queue.len() > 1 || self.stall_limit().1 > 0)
    }

    /// The choice that [`Next::Choose`] has asked for; none if nothing has.
    pub fn offer(&self) -> Option<Offer> {
        if self.turn != Turn::Nobody || self.outcome.is_some() || !self.asks() {
            return None;
        }
        let view = self.view();
        let events = (0..self.queue.len()).map(|index| {
            let candidate = view.candidate(index);
            Offered {
                actor: view.actor(index),
                lineage: view.lineage(index),
                candidate,
                identity: view.identity(candidate.object),
            }
        });
        let max_stall = self.stall_limit().1;
        Some(Offer {
            events: events.collect(),
            max_stall,
            upcoming: self.clock.upcoming(max_stall, UPCOMING),
        })
    }

    /// Makes the choice that was asked for, and decides who goes on.
    pub fn answer(&mut self, answer: Answer) -> Result<Next, Misuse> {
        let offer = self.offer().ok_or(Misuse::NotYourTurn)?;
        let event = offer
            .events
            .get(answer.index)
            .ok_or(Misuse::BadArgument("no such event"))?;
        if answer.stall > 0 && (event.candidate.process.is_none() || answer.stall > offer.max_stall) {
            return Err(Misuse::BadArgument("it cannot be held back so long"));
        }
        self.choices.answer(answer);
        Ok(self.decide())
    }
}
