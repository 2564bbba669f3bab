//! Whole runs: how they begin and end, and what is refused meanwhile.

use crate::support::{
    self, A, B, NAMES, cut, exit, fifo, kill, main_on, monitor, p, random, receive, send, simulation, spawn, timer,
    wait,
};
use crate::{HERE, named, run};
use lockstep_core::strategy::Fifo;
use lockstep_core::{Config, ExitClass, Farewell, Grant, MAIN, Misuse, Next, NodeId, Op, Outcome, ProcessId};

#[test]
fn a_run_of_one_process() {
    let player = run(vec![vec![]]);
    assert_eq!((player.outcome(), player.simulation.steps()), (Outcome::Done, 2));
    assert_eq!(player.grants, [(MAIN, Grant::Done), (MAIN, Grant::Ended)]);
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let mut simulation = simulation(support::config(), Box::new(Fifo));
    assert_eq!(simulation.announce(MAIN, Op::Yield), Err(Misuse::NotYourTurn));
    assert_eq!(simulation.begin(), Ok(Next::Go(MAIN, Grant::Done)));
    let before = simulation.hash();
    let nobody = ProcessId(9);
    let nowhere = NodeId(9);
    assert_eq!(simulation.begin(), Err(Misuse::NotYourTurn));
    assert_eq!(simulation.announce(nobody, Op::Yield), Err(Misuse::UnknownProcess));
    assert_eq!(simulation.finish(MAIN, &[]), Err(Misuse::NotYourTurn));
    assert_eq!(simulation.fetch(nobody), Err(Misuse::UnknownProcess));
    assert_eq!(simulation.reaped(nobody), Err(Misuse::UnknownProcess));
    for op in [
        Op::Link(nobody),
        send(9),
        kill(9),
        monitor(9, 1),
        timer(1, 9, 1),
        Op::Register(NAMES[0], nobody),
    ] {
        assert_eq!(simulation.announce(MAIN, op), Err(Misuse::UnknownProcess));
    }
    let monitor_node = Op::MonitorNode {
        node: nowhere,
        lost: true,
        on: true,
    };
    let modes = lockstep_core::PartitionMode::Drop;
    for op in [
        spawn(nowhere),
        Op::StopNode(nowhere),
        Op::Send(named(nowhere)),
        cut(A, nowhere, modes),
        monitor_node,
    ] {
        assert!(matches!(simulation.announce(MAIN, op), Err(Misuse::BadArgument(_))));
    }
    assert_eq!(simulation.hash(), before);
    assert!(matches!(
        simulation.announce(MAIN, exit(ExitClass::Normal)),
        Ok(Next::Go(MAIN, Grant::Ended))
    ));
    assert!(matches!(simulation.finish(MAIN, &[MAIN]), Err(Misuse::BadArgument(_))));
    assert_eq!(simulation.finish(MAIN, &[]), Ok(Farewell::default()));
    assert_eq!(simulation.fetch(MAIN), Err(Misuse::NotYourTurn));
    assert_eq!(simulation.reaped(MAIN), Ok(Next::Over));
    assert_eq!(simulation.announce(MAIN, Op::Yield), Err(Misuse::Ended));
    assert_eq!(simulation.begin(), Err(Misuse::Ended));
    assert_eq!(simulation.reaped(MAIN), Ok(Next::Over));
}

#[test]
fn a_process_that_dies_out_of_turn_ends_the_run() {
    let mut simulation = simulation(support::config(), Box::new(Fifo));
    simulation.begin().unwrap();
    simulation.announce(MAIN, spawn(HERE)).unwrap();
    assert_eq!(simulation.reaped(p(1)), Ok(Next::Over));
    assert_eq!(simulation.outcome(), Some(Outcome::Lost(p(1))));
}

#[test]
fn how_runs_end() {
    let config = support::config;
    assert_eq!(run(vec![vec![receive()]]).outcome(), Outcome::Deadlock);
    let endless = || vec![vec![spawn(HERE)], vec![Op::Yield; 1000]];
    assert_eq!(
        fifo(
            Config {
                max_steps: 100,
                ..config()
            },
            endless()
        )
        .outcome(),
        Outcome::StepLimit
    );
    assert_eq!(
        fifo(
            Config {
                quiescence: false,
                ..config()
            },
            endless()
        )
        .outcome(),
        Outcome::Done
    );
    let late = vec![vec![wait(2000)]];
    assert_eq!(
        fifo(
            Config {
                max_virtual_time: 1999,
                ..config()
            },
            late.clone()
        )
        .outcome(),
        Outcome::TimeLimit
    );
    assert_eq!(
        fifo(
            Config {
                max_virtual_time: 2000,
                ..config()
            },
            late
        )
        .outcome(),
        Outcome::Done
    );
    let blocked = vec![vec![spawn(HERE)], vec![receive()]];
    assert_eq!(
        fifo(
            Config {
                fail_on_blocked: true,
                ..config()
            },
            blocked.clone()
        )
        .outcome(),
        Outcome::Blocked
    );
    assert_eq!(fifo(config(), blocked).outcome(), Outcome::Done);
}

#[test]
fn a_replay_that_does_not_fit_says_so_even_at_the_last_step() {
    let scripts = || vec![vec![spawn(HERE), exit(ExitClass::Normal)], vec![]];
    let config = Config {
        quiescence: false,
        max_stall: 0,
        ..support::config()
    };
    assert_eq!(
        support::replay(config.clone(), &[0, 0], scripts()).outcome(),
        Outcome::Done
    );
    assert_eq!(support::replay(config, &[2], scripts()).outcome(), Outcome::Diverged(1));
}

#[test]
fn times_at_the_end_of_the_clock_do_not_overflow() {
    let ends = u64::MAX;
    let config = Config {
        max_virtual_time: ends,
        max_stall: ends,
        max_latency: ends,
        ..support::config()
    };
    for seed in 0..50 {
        let main = main_on(
            &[A, B],
            vec![
                send(1),
                send(2),
                timer(ends, 0, 7),
                wait(ends),
                wait(ends),
                Op::Yield,
                wait(5),
            ],
        );
        let talk = |to| vec![receive(), send(to), Op::Yield, wait(ends)];
        random(config.clone(), seed, vec![main, talk(2), talk(1)]);
    }
}
