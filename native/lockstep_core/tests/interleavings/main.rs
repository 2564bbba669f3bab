//! The hash of interleavings and the explorer, against the enumeration of all schedules of small random programs.

mod counted;
mod program;
mod random;
mod search;
#[path = "../support/mod.rs"]
mod support;
mod swaps;

use lockstep_core::Config;

fn config(delivery: bool) -> Config {
    Config {
        max_stall: 0,
        max_latency: 0,
        async_delivery: delivery,
        max_steps: 500,
        record: false,
        ..support::config()
    }
}
