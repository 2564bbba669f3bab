//! What a step of the core costs, by what is done, by strategy, and by how many processes there are:
//! `cargo bench -p lockstep_core`.
#![allow(
    clippy::disallowed_methods,
    reason = "a measurement needs the wall clock; no decision depends on it"
)]

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use lockstep_core::strategy::{Object, Plan, Profile};
use lockstep_core::{CONTROL, Config, Grant, MAIN, Next, Op, ProcessId, Simulation, Target, Wait};

/// A run is measured for so many steps: later a strategy would give up searching, and walk at random.
const STEPS: u64 = 2_000;

const PROCESSES: [u32; 4] = [2, 10, 100, 1_000];

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

/// A run in which so many processes have started, and the turn of one of them.
fn start(processes: u32, plan: Plan, profile: Option<&Profile>) -> (Simulation, Next) {
    let mut simulation = Simulation::new(config(), plan.strategy(1, profile));
    let mut next = simulation.begin().expect("the run begins");
    for _ in 1..processes {
        while !matches!(next, Next::Go(MAIN, _)) {
            next = step(&mut simulation, next, |_, _| Op::Yield);
        }
        next = step(&mut simulation, next, |_, _| Op::Spawn {
            node: CONTROL,
            link: false,
            monitor: None,
            alias: None,
            request: None,
        });
    }
    (simulation, next)
}

fn step(simulation: &mut Simulation, next: Next, op: impl FnOnce(ProcessId, &Grant) -> Op) -> Next {
    let Next::Go(process, grant) = next else {
        unreachable!("nobody ends")
    };
    simulation.announce(process, op(process, &grant)).expect("its turn")
}

/// So many steps of runs in which everybody does as `program` says.
fn measure<P: FnMut(ProcessId, &Grant) -> Op>(
    count: u64,
    begin: impl Fn() -> (Simulation, Next),
    program: impl Fn() -> P,
) -> Duration {
    let (mut left, mut elapsed) = (count, Duration::ZERO);
    while left > 0 {
        let ((mut simulation, mut next), mut op) = (begin(), program());
        let steps = left.min(STEPS);
        let before = Instant::now();
        for _ in 0..steps {
            next = step(&mut simulation, next, &mut op);
        }
        elapsed += before.elapsed();
        left -= steps;
    }
    elapsed
}

/// Everybody writes to the same thing.
fn contend() -> impl FnMut(ProcessId, &Grant) -> Op {
    |_, _| Op::Access {
        object: Object::Shared(1),
        write: true,
    }
}

fn take_turns() -> impl FnMut(ProcessId, &Grant) -> Op {
    |_, _| Op::Yield
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

/// The undisturbed schedule: the same process goes on, each takes its turn, a message goes around.
fn undisturbed(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("undisturbed");
    for processes in PROCESSES {
        let begin = || start(processes, Plan::Fifo, None);
        group.bench_function(BenchmarkId::new("stay", processes), |bencher| {
            bencher.iter_custom(|count| measure(count, begin, contend));
        });
        group.bench_function(BenchmarkId::new("switch", processes), |bencher| {
            bencher.iter_custom(|count| measure(count, begin, take_turns));
        });
        group.bench_function(BenchmarkId::new("ring", processes), |bencher| {
            bencher.iter_custom(|count| measure(count, begin, || ring(processes)));
        });
    }
    group.finish();
}

/// What the undisturbed run of [`contend`] shows.
fn profile(processes: u32) -> Profile {
    let (mut simulation, mut next) = start(processes, Plan::Profile, None);
    let mut op = contend();
    for _ in 0..STEPS {
        next = step(&mut simulation, next, &mut op);
    }
    simulation.profile().expect("it was watched")
}

/// All processes contend for one thing, and a strategy chooses among them.
fn strategies(criterion: &mut Criterion) {
    let plans = [
        ("random", Plan::Random),
        ("pos", Plan::Pos),
        ("pct", Plan::Pct(3)),
        ("surw", Plan::Surw),
        ("profile", Plan::Profile),
    ];
    for (name, plan) in plans {
        let mut group = criterion.benchmark_group(name);
        for processes in PROCESSES {
            let profile = profile(processes);
            let begin = || start(processes, plan.clone(), Some(&profile));
            group.bench_function(BenchmarkId::new("contend", processes), |bencher| {
                bencher.iter_custom(|count| measure(count, begin, contend));
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = steps;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500));
    targets = undisturbed, strategies
}
criterion_main!(steps);
