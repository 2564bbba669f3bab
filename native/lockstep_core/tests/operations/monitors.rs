//! Monitors, and the aliases that come with them.

use crate::support::{self, A, B, NAMES, kill, main_on, monitor, p, poll, random, receive, spawn, wait};
use crate::{HERE, R, named, pause, run, trap};
use lockstep_core::{AliasMode, Grant, Item, MAIN, Op, RefId, SystemReason, Target};

#[test]
fn monitoring_the_dead_or_nobody() {
    let by_name = Op::Monitor {
        target: named(HERE),
        reference: RefId(8),
        alias: None,
    };
    let player = run(vec![vec![spawn(HERE), pause(), monitor(1, 7), by_name, poll()]]);
    let down = |reference| Item::Down(RefId(reference), SystemReason::Noproc);
    assert_eq!(player.items(MAIN), [down(7), down(8)]);
}

#[test]
fn a_monitor_stays_with_the_process_whatever_its_name() {
    let by_name = Op::Monitor {
        target: named(HERE),
        reference: R,
        alias: None,
    };
    let rename = [Op::Unregister(NAMES[0]), Op::Register(NAMES[0], p(2))];
    let script = [
        vec![spawn(HERE), spawn(HERE), Op::Register(NAMES[0], p(1)), by_name],
        rename.to_vec(),
        vec![kill(2), poll()],
    ];
    let player = run(vec![script.concat(), vec![receive()], vec![receive()]]);
    assert_eq!(player.received(MAIN), 0);
    let last = vec![kill(1), receive()];
    let player = run(vec![[script.concat(), last].concat(), vec![receive()], vec![receive()]]);
    assert_eq!(player.fired[&R], 1);
}

#[test]
fn a_monitor_taken_back_does_not_fire() {
    let script = vec![
        spawn(HERE),
        monitor(1, 7),
        Op::Demonitor(R),
        Op::Demonitor(R),
        pause(),
        poll(),
    ];
    let player = run(vec![script, vec![]]);
    assert_eq!(player.answers(MAIN)[2..4], [Grant::Bool(true), Grant::Bool(false)]);
    assert_eq!(player.received(MAIN), 0);
}

#[test]
fn monitoring_oneself_tells_nobody() {
    let player = run(vec![vec![monitor(0, 7), poll(), Op::Demonitor(R)]]);
    assert_eq!(player.answers(MAIN)[1..3], [Grant::TimedOut, Grant::Bool(false)]);
}

#[test]
fn a_process_killed_while_its_last_signals_are_under_way_fires_monitors_once() {
    for seed in 0..300 {
        let main = main_on(&[A, B], vec![kill(1), wait(100_000)]);
        let on_b = vec![
            monitor(1, 7),
            trap(),
            Op::Link(p(1)),
            Op::Yield,
            wait(50_000),
            wait(50_000),
            wait(50_000),
        ];
        let player = random(support::config(), seed, vec![main, vec![Op::Yield, receive()], on_b]);
        assert_eq!(player.fired[&R], 1, "seed {seed}");
    }
}

/// For each kind of alias: how many of two messages come through, and whether one does after `demonitor`.
#[test]
fn aliases_end_as_their_kind_says() {
    let kinds = [
        (AliasMode::Explicit, 2, true),
        (AliasMode::Demonitor, 2, false),
        (AliasMode::ReplyDemonitor, 1, false),
        // Its alias has nothing to do with a monitor.
        (AliasMode::Reply, 1, true),
    ];
    for (mode, through, survives) in kinds {
        let to_alias = || Op::Send(Target::Alias(R));
        let watch = Op::Monitor {
            target: Target::Process(p(1)),
            reference: R,
            alias: Some(mode),
        };
        let player = run(vec![
            vec![spawn(HERE), watch.clone(), pause(), pause()],
            vec![to_alias(), to_alias(), receive()],
        ]);
        assert_eq!(player.received(MAIN), through, "{mode:?}");
        let script = vec![spawn(HERE), watch, Op::Demonitor(R), pause(), pause()];
        let player = run(vec![script, vec![to_alias(), receive()]]);
        assert_eq!(player.received(MAIN), usize::from(survives), "{mode:?}");
    }
}

#[test]
fn a_reply_through_an_alias_takes_its_monitor_back() {
    let watch = |mode| Op::Monitor {
        target: Target::Process(p(1)),
        reference: R,
        alias: Some(mode),
    };
    let script = |mode| {
        vec![
            vec![spawn(HERE), watch(mode), pause(), pause()],
            vec![Op::Send(Target::Alias(R))],
        ]
    };
    assert!(!run(script(AliasMode::ReplyDemonitor)).fired.contains_key(&R));
    assert!(run(script(AliasMode::Demonitor)).fired.contains_key(&R));
}

#[test]
fn an_alias_is_its_makers_to_take_back() {
    let script = vec![
        spawn(HERE),
        Op::Alias(R, AliasMode::Explicit),
        pause(),
        Op::Unalias(R),
        Op::Unalias(R),
    ];
    let player = run(vec![script, vec![Op::Unalias(R)]]);
    assert_eq!(player.answers(MAIN)[3..5], [Grant::Bool(true), Grant::Bool(false)]);
    assert_eq!(player.answers(p(1))[0], Grant::Bool(false));
}
