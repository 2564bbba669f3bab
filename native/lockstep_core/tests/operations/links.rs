//! Links, and what becomes of those that are linked.

use crate::support::{A, exit, main_on, p, poll, receive, spawn, wait};
use crate::{HERE, linked, pause, run, trap};
use lockstep_core::{Death, ExitClass, Grant, Item, MAIN, Op, Refusal, SystemReason};

#[test]
fn a_crash_takes_linked_processes_along() {
    for (class, dies) in [
        (ExitClass::Crash, true),
        (ExitClass::Shutdown, true),
        (ExitClass::Normal, false),
    ] {
        let player = run(vec![
            vec![spawn(HERE), pause()],
            vec![linked(), receive()],
            vec![exit(class)],
        ]);
        let death = player.deaths.get(&p(1)).copied().flatten();
        assert_eq!(matches!(death, Some(Death::Signal(_))), dies, "{class:?}");
    }
}

#[test]
fn a_trapped_exit_is_a_message() {
    for class in [ExitClass::Crash, ExitClass::Shutdown, ExitClass::Normal] {
        let player = run(vec![vec![trap(), linked(), receive()], vec![exit(class)]]);
        assert_eq!(player.senders(MAIN), [p(1)]);
    }
}

#[test]
fn linking_the_dead() {
    let dead_here = |before| vec![vec![before, spawn(HERE), pause(), Op::Link(p(1)), poll()]];
    let player = run(dead_here(Op::TrapExit(false)));
    assert_eq!(player.answers(MAIN)[3], Grant::Refused(Refusal::Noproc));
    let player = run(dead_here(trap()));
    assert_eq!(player.answers(MAIN)[3], Grant::Bool(true));
    assert_eq!(player.items(MAIN), [Item::Exit(p(1), SystemReason::Noproc)]);
    // On another node nobody can know at once: the signal comes after the answer.
    let player = run(vec![main_on(&[A], vec![pause(), Op::Link(p(1)), receive()])]);
    assert_eq!(player.deaths[&MAIN], Some(Death::System(SystemReason::Noproc)));
}

#[test]
fn an_unlinked_process_dies_alone() {
    let player = run(vec![
        vec![linked(), Op::Unlink(p(1)), pause(), poll()],
        vec![exit(ExitClass::Crash)],
    ]);
    assert_eq!((player.received(MAIN), player.deaths[&MAIN]), (0, None));
}

#[test]
fn linking_oneself_or_twice_changes_nothing() {
    let player = run(vec![
        vec![trap(), Op::Link(MAIN), linked(), Op::Link(p(1)), pause(), poll()],
        vec![exit(ExitClass::Crash)],
    ]);
    assert_eq!(player.received(MAIN), 1);
}

#[test]
fn those_linked_learn_with_what_kind_of_reason_a_killed_process_died() {
    // exit(self(), normal): its reason is normal, and so nobody dies with it.
    let suicide = |class| {
        let parent = vec![linked(), wait(5000)];
        run(vec![vec![spawn(HERE), pause()], parent, vec![Op::Signal(p(2), class)]]).deaths[&p(1)]
    };
    assert_eq!(suicide(ExitClass::Normal), None);
    assert!(suicide(ExitClass::Crash).is_some());
}
