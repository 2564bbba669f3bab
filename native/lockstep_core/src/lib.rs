//! The deterministic heart of Lockstep.
//!
//! A pure state machine: identifiers in, decisions out. It knows processes, nodes, pending operations, the virtual
//! clock, links, monitors, names, timers and the network, and no term of the BEAM. The same seed and the same
//! operations give the same decisions on every machine.
//!
//! The life of one step: a process announces an operation ([`Simulation::announce`]), the strategy chooses among all
//! that could happen, and whoever is chosen is told the outcome of its own operation ([`Next::Go`]).

mod causality;
mod choices;
mod clock;
mod connection;
pub mod etf;
mod explorer;
mod hashed;
mod ids;
mod journal;
mod network;
mod op;
mod process;
mod rng;
mod simulation;
pub mod strategy;
mod symbols;
mod trace;
pub mod trace_file;

pub use causality::{Thing, Touch, conflict};
pub use choices::{Choices, Decision};
pub use clock::{Clock, Deadline, Micros};
pub use explorer::{Bound, Choice, Explored, Explorer};
pub use ids::{CONTROL, MAIN, MessageId, NodeId, ProcessId, RefId, Symbol};
pub use journal::Journal;
pub use op::{
    AliasMode, AutoConnect, Death, DownReason, ExitClass, Farewell, Grant, Item, Latency, NodeEvent, Notice, Op,
    PartitionMode, Refusal, Request, Scope, Setting, Subscription, SystemReason, Target, Wait,
};
pub use rng::{Rng, Stream};
pub use simulation::{Activity, Config, Load, Misuse, Next, Offer, Offered, Outcome, Simulation};
pub use trace::{Event, Kind, Place, TRACE_VERSION, Trace};
