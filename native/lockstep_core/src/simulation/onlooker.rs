//! A process that looks on: it takes no part in the run, and sees it between any two steps.
//!
//! It is told to look whenever something has happened, before the next choice is made. What it does then is no step: it
//! can only read, and neither the choices nor the trace know of it. So a run that is looked at is the run it would have
//! been, and what is read in one look belongs to one moment.

use super::{Next, Outcome, Simulation, Turn};
use crate::ids::{CONTROL, NodeId, ProcessId};
use crate::op::{Grant, Op};
use crate::process::{Process, State};
use crate::simulation::Misuse;

#[derive(Debug, Clone, Copy)]
pub(super) struct Onlooker {
    process: ProcessId,
    /// Whether it wants to look.
    active: bool,
    /// How many steps there were when it looked last.
    seen: Option<u64>,
    /// Whether it is looking.
    pub(super) looking: bool,
}

impl Simulation {
    /// The process that looks on, made when it is first asked for; from now on it is told to look. Not a step.
    pub fn onlooker(&mut self) -> ProcessId {
        let process = match self.onlooker {
            Some(onlooker) => onlooker.process,
            None => self.create_onlooker(),
        };
        self.onlooker = Some(Onlooker {
            process,
            active: true,
            seen: None,
            looking: false,
        });
        process
    }

    fn create_onlooker(&mut self) -> ProcessId {
        let process = ProcessId(self.processes.len() as u32);
        let mut entry = Process::new(CONTROL);
        entry.state = State::Waiting;
        self.processes.push(Some(Box::new(entry)));
        self.homes.push(CONTROL);
        self.family.born(None);
        self.labels.push(None);
        self.set_daemon(process);
        process
    }

    /// Whether this process only looks on.
    pub fn looks_on(&self, process: ProcessId) -> bool {
        self.onlooker.is_some_and(|onlooker| onlooker.process == process)
    }

    /// The one who looks on sees the run from this node until its look is over.
    pub fn look_from(&mut self, me: ProcessId, node: NodeId) -> Result<(), Misuse> {
        self.check_turn(me)?;
        if !self.looks_on(me) {
            return Err(Misuse::OnlyLooks);
        }
        self.stand_on(me, node);
        Ok(())
    }

    fn stand_on(&mut self, me: ProcessId, node: NodeId) {
        self.homes[me.0 as usize] = node;
        self.expect(me).node = node;
    }

    /// `me` has seen something that must not be: the run is over.
    pub fn violated(&mut self, me: ProcessId) -> Result<Next, Misuse> {
        self.check_turn(me)?;
        self.outcome = Some(Outcome::Violated);
        Ok(Next::Over)
    }

    /// The next look, if something has happened since the last one. One that was killed is told so first: until then its
    /// tables are still there.
    pub(super) fn next_look(&mut self) -> Option<Next> {
        let steps = self.steps;
        let quiet = self.outcome.is_none() && self.doomed.is_empty();
        let onlooker = self.onlooker.as_mut().filter(|onlooker| quiet && onlooker.active)?;
        if onlooker.seen == Some(steps) {
            return None;
        }
        onlooker.seen = Some(steps);
        onlooker.looking = true;
        let process = onlooker.process;
        self.turn = Turn::Of(process);
        Some(Next::Go(process, Grant::Done))
    }

    /// What the one who looks on announces: to read something, or to have seen enough for now or, with
    /// [`Op::Watch`]`(false)`, for good.
    pub(super) fn look_on(&mut self, me: ProcessId, op: Op) -> Result<Next, Misuse> {
        if let Op::Watch(again) = op {
            self.stand_on(me, CONTROL);
            if let Some(onlooker) = self.onlooker.as_mut() {
                onlooker.looking = false;
                onlooker.active = again;
            }
            return Ok(self.decide());
        }
        match op {
            Op::Access { write: false, .. } | Op::Whereis(_) | Op::Look(_) | Op::ReadTimer(_) => {
                let grant = self.perform(me, op);
                Ok(Next::Go(me, grant))
            }
            _ => Err(Misuse::OnlyLooks),
        }
    }
}
