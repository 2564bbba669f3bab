//! Why a call was not carried out, as `{:error, reason}`.

use lockstep_core::Misuse;
use rustler::{Encoder, Env, Term};

rustler::atoms! {
    error,
    busy,
    poisoned,
    ended,
    not_your_turn,
    unknown_process,
    bad_argument,
    foreign,
    only_looks,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Another process is in a call on the same session.
    Busy,
    /// An earlier call panicked.
    Poisoned,
    /// The simulation has been closed.
    Closed,
    /// A pid that is not one of this run.
    Foreign,
    /// An argument of the wrong kind.
    BadArgument,
    /// The core refuses.
    Misuse(Misuse),
}

impl From<Misuse> for Fault {
    fn from(misuse: Misuse) -> Self {
        Fault::Misuse(misuse)
    }
}

impl From<rustler::Error> for Fault {
    fn from(_: rustler::Error) -> Self {
        Fault::BadArgument
    }
}

impl Encoder for Fault {
    fn encode<'a>(&self, env: Env<'a>) -> Term<'a> {
        let reason = match self {
            Fault::Busy => busy(),
            Fault::Poisoned => poisoned(),
            Fault::Closed | Fault::Misuse(Misuse::Ended) => ended(),
            Fault::Foreign => foreign(),
            Fault::Misuse(Misuse::NotYourTurn) => not_your_turn(),
            Fault::Misuse(Misuse::OnlyLooks) => only_looks(),
            Fault::Misuse(Misuse::UnknownProcess) => unknown_process(),
            Fault::BadArgument | Fault::Misuse(Misuse::BadArgument(_)) => bad_argument(),
        };
        (error(), reason).encode(env)
    }
}
