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
