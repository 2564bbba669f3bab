//! The trace file: one run, as a term that `:erlang.binary_to_term(bytes, [:safe])` reads.

use serde::Serialize;

use crate::etf::{self, Unsupported};
use crate::ids::ProcessId;
use crate::simulation::Simulation;
use crate::trace::{Event, TRACE_VERSION};

/// What a trace file holds. It names no wall time, no host process and no path.
#[derive(Debug, Serialize)]
struct TraceFile<'a> {
    version: u32,
    seed: u64,
    nodes: Vec<&'a str>,
    processes: Vec<ProcessEntry<'a>>,
    steps: u64,
    time: u64,
    hash: u64,
    choices: &'a [u64],
    events: &'a [Event],
}

#[derive(Debug, Serialize)]
struct ProcessEntry<'a> {
    id: ProcessId,
    node: &'a str,
    name: Option<&'a str>,
    /// Whether it belongs to the machinery of its node, and not to the program.
    service: bool,
}

/// The bytes of a run's trace file. Only a recorded run has choices and events.
pub fn to_bytes(simulation: &Simulation) -> Result<Vec<u8>, Unsupported> {
    let node_name = |node| simulation.symbol(simulation.node_symbol(node));
    let processes = (0..simulation.process_count()).map(ProcessId).filter_map(|id| {
        let node = node_name(simulation.node_of(id)?);
        Some(ProcessEntry {
            id,
            node,
            name: simulation.name_of(id).map(|name| simulation.symbol(name)),
            service: simulation.daemon(id),
        })
    });
    etf::to_bytes(&TraceFile {
        version: TRACE_VERSION,
        seed: simulation.seed(),
        nodes: simulation
            .nodes()
            .into_iter()
            .map(|(node, _)| node_name(node))
            .collect(),
        processes: processes.collect(),
        steps: simulation.steps(),
        time: simulation.now(),
        hash: simulation.hash(),
        choices: simulation.choices(),
        events: simulation.trace_events(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MAIN;
    use crate::op::{ExitClass, Op};
    use crate::simulation::{Config, Next};
    use crate::strategy::Random;
    use crate::trace::Place;

    /// The trace of a fixed run, as it is written today. A change of these bytes breaks stored traces: it needs a new
    /// version and a line in the changelog.
    const GOLDEN: &[u8] = include_bytes!("../tests/golden.trace");

    fn fixed_run() -> Simulation {
        let config = Config {
            seed: 7,
            max_steps: 100,
            max_virtual_time: 1_000_000,
            max_stall: 1_000,
            max_latency: 0,
            async_delivery: false,
            node_order: false,
            quiescence: true,
            fail_on_crash: false,
            fail_on_blocked: false,
            record: true,
            control: "nonode@nohost".to_owned(),
        };
        let mut simulation = Simulation::new(config, Box::new(Random::new(7)));
        assert!(matches!(simulation.begin(), Ok(Next::Go(MAIN, _))));
        let name = simulation.intern("main");
        for op in [
            Op::StartNode { name, connect: true },
            Op::Register(name, MAIN),
            Op::Yield,
            Op::Exit(ExitClass::Normal),
        ] {
            assert!(matches!(simulation.announce(MAIN, op), Ok(Next::Go(MAIN, _))));
            let place = Place {
                file: "lib/a.ex".to_owned(),
                line: 3,
            };
            simulation.note("in words".to_owned(), 42, Some(place));
        }
        assert_eq!(simulation.reaped(MAIN), Ok(Next::Over));
        simulation
    }

    #[test]
    fn the_bytes_of_a_trace_are_pinned() {
        let bytes = to_bytes(&fixed_run()).unwrap();
        assert!(bytes == GOLDEN, "the trace's bytes have changed: {bytes:?}");
    }

    #[test]
    fn the_hash_of_a_run_is_pinned() {
        assert_eq!(fixed_run().hash(), 13_320_882_797_995_409_056);
    }
}
