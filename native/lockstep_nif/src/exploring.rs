//! The explorer of all interleavings, as a resource that lives longer than a session.

use std::sync::{Mutex, TryLockError};

use lockstep_core::{Bound, Explorer, ProcessId};
use rustler::{Encoder, Env, NifTaggedEnum, Resource, ResourceArc, Term};

use crate::fault::Fault;
use crate::session::Session;
use crate::steps::done;
use crate::terms;

/// It is away as long as a session has it.
pub(crate) struct Exploration(Mutex<Option<Explorer>>);

#[rustler::resource_impl(name = "lockstep_exploration")]
impl Resource for Exploration {}

#[derive(Debug, Clone, Copy, NifTaggedEnum)]
enum BoundTerm {
    Interleavings,
    Preemptions(u32),
    Delays(u32),
}

impl From<BoundTerm> for Bound {
    fn from(bound: BoundTerm) -> Self {
        match bound {
            BoundTerm::Interleavings => Bound::Interleavings,
            BoundTerm::Preemptions(most) => Bound::Preemptions(most),
            BoundTerm::Delays(most) => Bound::Delays(most),
        }
    }
}

impl Exploration {
    fn with<R>(&self, work: impl FnOnce(&mut Option<Explorer>) -> Result<R, Fault>) -> Result<R, Fault> {
        let mut guard = self.0.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Fault::Busy,
            TryLockError::Poisoned(_) => Fault::Poisoned,
        })?;
        work(&mut guard)
    }
}

#[rustler::nif]
fn explorer(bound: BoundTerm) -> ResourceArc<Exploration> {
    ResourceArc::new(Exploration(Mutex::new(Some(Explorer::new(bound.into())))))
}

/// Lets an explorer choose what happens in a session that has not begun.
#[rustler::nif]
fn explore<'a>(env: Env<'a>, session: &Session, exploration: &Exploration) -> Term<'a> {
    let result = exploration.with(|kept| {
        let explorer = kept.take().ok_or(Fault::Busy)?;
        session.with(|inner| {
            inner.simulation.explore(explorer);
            Ok(done(env))
        })
    });
    terms::answer(env, result)
}

/// Takes the explorer back from a session that is over.
#[rustler::nif]
fn explored<'a>(env: Env<'a>, session: &Session, exploration: &Exploration) -> Term<'a> {
    let result = exploration.with(|kept| {
        session.with(|inner| {
            *kept = inner.simulation.explored();
            Ok(done(env))
        })
    });
    terms::answer(env, result)
}

/// Whether there is another run to make, and how many there have been: those that came to their end, and those that were
/// given up because they showed nothing new.
#[rustler::nif]
fn advance<'a>(env: Env<'a>, exploration: &Exploration) -> Term<'a> {
    let result = exploration.with(|kept| {
        let explorer = kept.as_mut().ok_or(Fault::Busy)?;
        let more = explorer.advance();
        let explored = explorer.explored();
        Ok((more, explored.complete, explored.abandoned).encode(env))
    });
    terms::answer(env, result)
}

/// A process takes what is at this place of its mailbox, or goes on because of it.
#[rustler::nif]
fn took<'a>(env: Env<'a>, session: &Session, me: u32, place: u32, take: bool) -> Term<'a> {
    let result = session.with(|inner| {
        inner.simulation.check_turn(ProcessId(me))?;
        inner.simulation.took(ProcessId(me), place as usize, take);
        Ok(done(env))
    });
    terms::answer(env, result)
}
