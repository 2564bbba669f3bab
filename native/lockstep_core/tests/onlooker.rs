//! A process that looks on between the steps, and waits that do not make the clock go.

mod support;

use lockstep_core::strategy::{Object, Random};
use lockstep_core::{Config, ExitClass, Grant, MAIN, Misuse, NodeId, Op, Outcome, ProcessId, Simulation, Wait};
use support::{Player, Program, fifo, p, poll, receive, send, spawn, timer, wait};

const HERE: NodeId = NodeId(0);

fn read() -> Op {
    Op::Access {
        object: Object::Shared(1),
        write: false,
    }
}

/// Scripts, of which those who look on get an endless one; it counts the looks.
struct Watched {
    scripts: Vec<Vec<Op>>,
    looks: u64,
    reading: bool,
}

impl Program for Watched {
    fn next(&mut self, me: ProcessId, grant: &Grant, simulation: &Simulation) -> Op {
        if !simulation.looks_on(me) {
            return self.scripts.next(me, grant, simulation);
        }
        self.reading = !self.reading;
        if self.reading {
            self.looks += 1;
            return read();
        }
        Op::Watch(true)
    }
}

fn scripts() -> Vec<Vec<Op>> {
    let child = |to: u32| vec![read(), wait(3000), send(to), receive()];
    vec![
        vec![spawn(HERE), spawn(HERE), poll(), timer(500, 0, 1), receive(), receive()],
        child(0),
        child(1),
    ]
}

/// The same program with somebody who looks on and without; the process that looks on is the last to be numbered.
fn play(seed: u64, looked_at: bool) -> (Player, u64) {
    let config = Config {
        seed,
        ..support::config()
    };
    let simulation = support::simulation(config, Box::new(Random::new(seed)));
    let mut player = Player::new(simulation);
    let mut scripts = scripts();
    if looked_at {
        // It is made after the others, so that these have the numbers that they have without it.
        player.onlooker_after = Some(3);
        scripts.push(Vec::new());
    }
    let mut program = Watched {
        scripts,
        looks: 0,
        reading: false,
    };
    player.run(&mut program);
    (player, program.looks)
}

#[test]
fn a_run_that_is_looked_at_is_the_run_it_would_have_been() {
    for seed in 0..200 {
        let (plain, none) = play(seed, false);
        let (watched, looks) = play(seed, true);
        let (a, b) = (&plain.simulation, &watched.simulation);
        assert_eq!((a.hash(), a.steps(), a.choices()), (b.hash(), b.steps(), b.choices()));
        assert_eq!(a.trace_events(), b.trace_events());
        assert_eq!(none, 0);
        // Not every step: some follow from others, with nobody in between.
        assert!(looks > b.steps() / 4 && looks <= b.steps(), "{looks} of {}", b.steps());
    }
}

fn looking() -> (Simulation, ProcessId) {
    let mut simulation = support::simulation(support::config(), Box::new(lockstep_core::strategy::Fifo));
    assert_eq!(simulation.begin().map(|_| ()), Ok(()));
    let onlooker = simulation.onlooker();
    let next = simulation.announce(MAIN, Op::Yield);
    assert_eq!(next, Ok(lockstep_core::Next::Go(onlooker, Grant::Done)));
    (simulation, onlooker)
}

#[test]
fn who_looks_on_does_nothing_else() {
    let (mut simulation, onlooker) = looking();
    let write = Op::Access {
        object: Object::Shared(1),
        write: true,
    };
    for op in [
        write,
        send(0),
        receive(),
        poll(),
        spawn(HERE),
        Op::Exit(ExitClass::Normal),
        Op::Yield,
    ] {
        assert_eq!(simulation.announce(onlooker, op), Err(Misuse::OnlyLooks));
    }
    let steps = simulation.steps();
    assert_eq!(
        simulation.announce(onlooker, read()),
        Ok(lockstep_core::Next::Go(onlooker, Grant::Done))
    );
    assert_eq!(simulation.steps(), steps);
    assert_eq!(simulation.look_from(MAIN, HERE), Err(Misuse::NotYourTurn));
}

#[test]
fn it_is_not_asked_again_until_something_has_happened_or_when_it_has_seen_enough() {
    let (mut simulation, onlooker) = looking();
    let go = |process| Ok(lockstep_core::Next::Go(process, Grant::Done));
    assert_eq!(simulation.announce(onlooker, Op::Watch(true)), go(MAIN));
    assert_eq!(simulation.announce(MAIN, read()), go(onlooker));
    assert_eq!(simulation.announce(onlooker, Op::Watch(false)), go(MAIN));
    assert_eq!(simulation.announce(MAIN, read()), go(MAIN));
    assert_eq!(simulation.onlooker(), onlooker);
    assert_eq!(simulation.announce(MAIN, read()), go(onlooker));
}

#[test]
fn it_can_end_the_run() {
    let (mut simulation, onlooker) = looking();
    assert_eq!(simulation.violated(MAIN), Err(Misuse::NotYourTurn));
    assert_eq!(simulation.violated(onlooker), Ok(lockstep_core::Next::Over));
    assert_eq!(simulation.outcome(), Some(Outcome::Violated));
}

#[test]
fn a_lazy_wait_ends_when_the_clock_has_got_there_for_another_reason() {
    let lazy = || Op::Receive(Wait::Lazily(1000));
    let config = Config {
        max_stall: 0,
        ..support::config()
    };
    let player = fifo(config.clone(), vec![vec![spawn(HERE), wait(5000)], vec![lazy()]]);
    assert!(player.answers(p(1)).contains(&Grant::TimedOut));
    assert_eq!(
        (player.simulation.outcome(), player.simulation.now()),
        (Some(Outcome::Done), 5000)
    );
    // Alone it never ends, and does not keep the run from coming to an end either.
    let alone = fifo(config.clone(), vec![vec![spawn(HERE)], vec![lazy()]]);
    assert_eq!(
        (alone.simulation.outcome(), alone.simulation.now()),
        (Some(Outcome::Done), 0)
    );
    let deadlock = fifo(config.clone(), vec![vec![spawn(HERE), receive()], vec![lazy()]]);
    assert_eq!(deadlock.simulation.outcome(), Some(Outcome::Deadlock));
    // A message ends it, too, and what is left of it then does no harm.
    let told = fifo(
        config,
        vec![vec![spawn(HERE), send(1), wait(5000)], vec![lazy(), receive()]],
    );
    assert!(!told.answers(p(1)).contains(&Grant::TimedOut));
}
