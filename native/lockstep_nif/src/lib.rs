//! The boundary between the BEAM and the core: decode, lock, call, encode.

mod exploring;
mod fault;
mod queries;
mod session;
mod steps;
mod terms;

rustler::init!("Elixir.Lockstep.Native");
