//! What a step of the core costs: `cargo run --release --example steps`.
#![allow(
    clippy::disallowed_methods,
    reason = "a measurement needs the wall clock; no decision depends on it"
)]

use std::time::Instant;

use lockstep_core::strategy::{Fifo, Object, Random, Strategy};
use lockstep_core::{CONTROL, Config, Grant, MAIN, Next, Op, ProcessId, Simulation, Target, Wait};

const STEPS: u64 = 2_000_000;

fn config() -> Config {
    Config {
        seed: 1,
        max_steps: u64::MAX,
        max_virtual_time: u64::MAX,
        max_stall: 0,
        max_latency: 0,
        async_delivery: false,
        node_order: false,
        quiescence: true,
        fail_on_crash: false,
        fail_on_blocked: false,
        record: false,
        control: "control".to_owned(),
    }
}

/// Nanoseconds a step of a run in which `processes` all do as `op` says.
fn measure(processes: u32, strategy: Box<dyn Strategy>, mut op: impl FnMut(ProcessId, &Grant) -> Op) -> f64 {
    let mut simulation = Simulation::new(config(), strategy);
    let mut next = simulation.begin().expect("the run begins");
    for _ in 1..processes {
        next = simulation
            .announce(
                MAIN,
                Op::Spawn {
                    node: CONTROL,
                    link: false,
                    monitor: None,
                    alias: None,
                    request: None,
                },
            )
            .expect("its turn");
        while !matches!(next, Next::Go(MAIN, _)) {
            let Next::Go(process, _) = next else {
                unreachable!("nobody ends")
            };
            next = simulation.announce(process, Op::Yield).expect("its turn");
        }
    }
    let (before, start) = (simulation.steps(), Instant::now());
    while simulation.steps() < before + STEPS {
        let Next::Go(process, grant) = next else {
            unreachable!("nobody ends")
        };
        next = simulation.announce(process, op(process, &grant)).expect("its turn");
    }
    start.elapsed().as_nanos() as f64 / (simulation.steps() - before) as f64
}

/// Receives and passes the message on around a ring.
fn ring(processes: u32) -> impl FnMut(ProcessId, &Grant) -> Op {
    let mut started = false;
    move |me, grant| {
        let pass_on = matches!(grant, Grant::Items(_)) || !std::mem::replace(&mut started, true);
        if pass_on {
            Op::Send(Target::Process(ProcessId((me.0 + 1) % processes)))
        } else {
            Op::Receive(Wait::Forever)
        }
    }
}

fn main() {
    let access = |_: ProcessId, _: &Grant| Op::Access {
        object: Object::Shared(1),
        write: true,
    };
    let take_turns = |_: ProcessId, _: &Grant| Op::Yield;
    let random = || Box::new(Random::new(1));
    let rows = [
        ("the same process goes on, alone", measure(1, random(), access)),
        (
            "the same process goes on, 10 others ready (fifo)",
            measure(11, Box::new(Fifo), access),
        ),
        (
            "another process goes on, of 10 (fifo)",
            measure(10, Box::new(Fifo), take_turns),
        ),
        ("a process of 10 is chosen (random)", measure(10, random(), take_turns)),
        (
            "a process of 1000 is chosen (random)",
            measure(1000, random(), take_turns),
        ),
        (
            "a message around a ring of 10: send or receive",
            measure(10, Box::new(Fifo), ring(10)),
        ),
    ];
    for (what, nanoseconds) in rows {
        println!("{nanoseconds:8.1} ns a step: {what}");
    }
}
