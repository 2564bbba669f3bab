//! Exit signals, the ends of processes, and who is told of them.

use std::sync::{Arc, Mutex};

use crate::support::{self, Player, exit, fifo, kill, monitor, p, random, receive, send, simulation, spawn, wait};
use crate::{HERE, R, linked, pause, run, trap};
use lockstep_core::strategy::{Candidate, Candidates, Object, Random, Strategy};
use lockstep_core::{Config, Death, ExitClass, Grant, Item, Kind, MAIN, Micros, Op, Outcome, SystemReason};

#[test]
fn exit_signals() {
    let to = |class| {
        vec![
            vec![spawn(HERE), Op::Yield, Op::Signal(p(1), class), pause()],
            vec![receive()],
        ]
    };
    let death = |class| run(to(class)).deaths.get(&p(1)).copied().flatten();
    assert_eq!(death(ExitClass::Normal), None);
    assert!(matches!(death(ExitClass::Shutdown), Some(Death::Signal(_))));
    assert!(matches!(death(ExitClass::Crash), Some(Death::Signal(_))));
    assert_eq!(death(ExitClass::Kill), Some(Death::System(SystemReason::Killed)));
    // To one that traps, all but `kill` are messages.
    for class in [
        ExitClass::Normal,
        ExitClass::Shutdown,
        ExitClass::Crash,
        ExitClass::Kill,
    ] {
        let player = run(vec![
            vec![spawn(HERE), Op::Yield, Op::Signal(p(1), class), pause()],
            vec![trap(), receive()],
        ]);
        assert_eq!(
            player.received(p(1)),
            usize::from(class != ExitClass::Kill),
            "{class:?}"
        );
    }
}

#[test]
fn a_signal_to_oneself_takes_effect_before_the_next_step() {
    for class in [ExitClass::Normal, ExitClass::Crash, ExitClass::Kill] {
        let player = run(vec![vec![spawn(HERE), pause()], vec![Op::Signal(p(1), class), send(0)]]);
        assert!(player.deaths[&p(1)].is_some(), "{class:?}");
        assert_eq!(player.received(MAIN), 0);
    }
}

#[test]
fn an_orderly_shutdown_is_no_crash() {
    let config = Config {
        fail_on_crash: true,
        ..support::config()
    };
    let outcome = |class| {
        let scripts = vec![
            vec![spawn(HERE), Op::Yield, Op::Signal(p(1), class), pause()],
            vec![receive()],
        ];
        fifo(config.clone(), scripts).outcome()
    };
    assert_eq!(outcome(ExitClass::Shutdown), Outcome::Done);
    assert_eq!(outcome(ExitClass::Crash), Outcome::Crashed(p(1)));
    assert_eq!(outcome(ExitClass::Kill), Outcome::Crashed(p(1)));
}

#[test]
fn trap_exit_answers_what_it_was() {
    let player = run(vec![vec![trap(), Op::TrapExit(false), trap()]]);
    assert_eq!(
        player.answers(MAIN)[..3],
        [Grant::Bool(false), Grant::Bool(true), Grant::Bool(false)]
    );
}

#[test]
fn a_process_killed_before_its_turn_does_not_do_what_it_announced() {
    let scripts = || vec![vec![spawn(HERE), Op::Yield, kill(1), pause()], vec![send(0), receive()]];
    let mut seen = [false; 2];
    for seed in 0..200 {
        let player = random(support::config(), seed, scripts());
        let sent = player
            .answers(p(1))
            .iter()
            .any(|grant| matches!(grant, Grant::Sent(..)));
        assert_eq!(player.received(MAIN), usize::from(sent));
        seen[usize::from(sent)] = true;
    }
    assert_eq!(
        seen,
        [true, true],
        "the kill comes sometimes before and sometimes after"
    );
}

#[test]
fn newborn_waiting_and_stalled_processes_are_killed_alike() {
    // The newborn has not taken its first step: its first answer is its death.
    let player = run(vec![vec![spawn(HERE), kill(1)], vec![send(0)]]);
    let first = player.grants.iter().find(|(me, _)| *me == p(1));
    assert_eq!(first, Some(&(p(1), Grant::Die(Death::System(SystemReason::Killed)))));
    for waiting in [receive(), wait(1_000_000)] {
        let player = run(vec![vec![spawn(HERE), Op::Yield, kill(1)], vec![waiting]]);
        assert_eq!(player.simulation.now(), 0, "nobody waits for the deadline of the dead");
    }
    let stalled = (0..1000).filter(|&seed| {
        let player = random(
            support::config(),
            seed,
            vec![vec![spawn(HERE), Op::Yield, Op::Yield, kill(1)], vec![Op::Yield]],
        );
        let events = player
            .simulation
            .trace_events()
            .iter()
            .filter(|event| event.process == Some(p(1)));
        let kinds: Vec<_> = events.map(|event| (event.kind, event.time)).collect();
        kinds.ends_with(&[(Kind::Stall, 0), (Kind::Killed, 0)])
    });
    assert!(stalled.count() > 0);
}

#[test]
fn links_are_told_before_monitors() {
    let start = Op::Spawn {
        node: HERE,
        link: true,
        monitor: Some(R),
        alias: None,
        request: None,
    };
    let player = run(vec![
        vec![trap(), start, receive(), receive()],
        vec![exit(ExitClass::Crash)],
    ]);
    let monitors: Vec<_> = player.farewells[&p(1)]
        .ties
        .iter()
        .map(|notice| notice.monitor)
        .collect();
    assert_eq!(monitors, [None, Some(R)]);
    assert_eq!((player.received(MAIN), player.fired[&R]), (2, 1));
}

/// Undisturbed, and remembers what it could choose between.
#[derive(Debug, Default)]
struct Watch(Arc<Mutex<Vec<Candidate>>>);

impl Strategy for Watch {
    fn schedule(&mut self, candidates: &Candidates<'_>, _choices: usize) -> usize {
        let mut seen = self.0.lock().unwrap();
        seen.extend((0..candidates.len()).map(|index| candidates.get(index)));
        0
    }

    fn stall(&mut self, _max: Micros, _upcoming: &[Micros]) -> Micros {
        1
    }

    fn fault(&mut self, _count: u64) -> u64 {
        0
    }

    fn latency(&mut self, _max: Micros) -> Micros {
        0
    }
}

#[test]
fn the_end_of_an_owner_conflicts_with_all_else() {
    let concerns = |owner: bool, scripts: Vec<Vec<Op>>| {
        let watch = Watch::default();
        let seen = watch.0.clone();
        let mut player = Player::new(simulation(support::config(), Box::new(watch)));
        let mut scripts = scripts;
        if owner {
            player.owners.insert(p(1));
        }
        player.run(&mut scripts);
        let seen = seen.lock().unwrap();
        seen.iter()
            .any(|candidate| candidate.object == Object::World && candidate.write)
    };
    // Somebody else can always go on: where there is one way only, nobody is asked.
    let busy = || vec![Op::Yield; 20];
    let begin = |start: Op| [vec![start, spawn(HERE)], vec![Op::Yield; 5]].concat();
    let ends = vec![begin(spawn(HERE)), vec![exit(ExitClass::Normal)], busy()];
    let signalled = vec![[begin(spawn(HERE)), vec![kill(1)]].concat(), vec![receive()], busy()];
    let linked = vec![
        [begin(linked()), vec![exit(ExitClass::Crash)]].concat(),
        vec![receive()],
        busy(),
    ];
    for scripts in [ends, signalled, linked] {
        assert!(concerns(true, scripts.clone()));
        assert!(!concerns(false, scripts));
    }
}

#[test]
fn heirs_are_told_before_links_and_monitors() {
    let start = Op::Spawn {
        node: HERE,
        link: true,
        monitor: Some(R),
        alias: None,
        request: None,
    };
    for end in [exit(ExitClass::Crash), kill(1)] {
        for seed in 0..50 {
            let scripts = vec![
                vec![trap(), start.clone(), spawn(HERE), pause(), pause(), pause(), pause()],
                vec![wait(100), end.clone()],
                vec![receive(), receive()],
            ];
            let config = Config {
                max_stall: 0,
                ..support::config()
            };
            let mut player = Player::new(simulation(config, Box::new(Random::new(seed))));
            player.heirs.insert(p(1), vec![MAIN, p(2), MAIN]);
            player.run(&mut { scripts });
            let to: Vec<_> = player.farewells[&p(1)].heirs.iter().map(|notice| notice.to).collect();
            assert_eq!(to, [MAIN, p(2), MAIN]);
            let ids = |notices: &[lockstep_core::Notice]| notices.iter().map(|notice| notice.id).collect::<Vec<_>>();
            let farewell = &player.farewells[&p(1)];
            let told: Vec<_> = ids(&farewell.heirs).into_iter().chain(ids(&farewell.ties)).collect();
            let mine = [told[0], told[2], told[3], told[4]].map(Item::Term);
            assert_eq!(player.items(MAIN)[..4], mine);
            assert_eq!(player.items(p(2))[0], Item::Term(told[1]));
        }
    }
}

#[test]
fn the_order_of_what_an_end_brings_about_is_part_of_the_schedule() {
    let script = |ties: Vec<Op>| {
        let watched = [vec![spawn(HERE)], ties, vec![pause(), pause()]].concat();
        run(vec![watched, vec![]])
    };
    let kinds = |player: &support::Player| -> Vec<Kind> {
        let events = player.simulation.trace_events().iter();
        events
            .map(|event| event.kind)
            .filter(|kind| matches!(kind, Kind::Down | Kind::ExitSignal))
            .collect()
    };
    assert_eq!(
        kinds(&script(vec![monitor(1, 7), monitor(1, 8)])),
        [Kind::Down, Kind::Down]
    );
    assert_eq!(
        kinds(&script(vec![Op::TrapExit(true), Op::Link(p(1))])),
        [Kind::ExitSignal]
    );
    // What has been taken back does not arrive.
    assert_eq!(kinds(&script(vec![monitor(1, 7), Op::Demonitor(R)])), []);
}

#[test]
fn nobody_is_told_who_does_not_want_to_know() {
    let ended = |script: Vec<Op>| {
        let player = run(vec![
            [vec![spawn(HERE), monitor(1, 7), Op::Link(p(1))], script].concat(),
            vec![],
        ]);
        player.farewells.get(&p(1)).map(|farewell| farewell.ties.len())
    };
    assert_eq!(ended(vec![pause()]), Some(2));
    assert_eq!(ended(vec![Op::Demonitor(R), pause()]), Some(1));
    assert_eq!(ended(vec![Op::Demonitor(R), Op::Unlink(p(1)), pause()]), Some(0));
    assert_eq!(ended(vec![]), Some(0), "one that is gone is not told either");
}
