//! Processes that keep others from taking steps, and processes that look at others.

mod support;

use lockstep_core::{Config, Grant, Kind, MAIN, NodeId, Op, Outcome, Refusal};
use support::{A, Player, fifo, kill, main_on, monitor, p, random, receive, send, spawn, wait};

const HERE: NodeId = NodeId(0);

fn run(scripts: Vec<Vec<Op>>) -> Player {
    fifo(support::config(), scripts)
}

fn suspend(process: u32) -> Op {
    Op::Suspend {
        process: p(process),
        once: false,
    }
}

fn resume(process: u32) -> Op {
    Op::Resume(p(process))
}

fn look(process: u32) -> Op {
    Op::Look(Some(p(process)))
}

#[test]
fn a_suspension_ends_with_its_suspender_and_with_its_victim() {
    let main = vec![spawn(HERE), spawn(HERE), receive()];
    let player = run(vec![main.clone(), vec![receive(), send(0)], vec![suspend(1), send(1)]]);
    assert_eq!((player.outcome(), player.received(MAIN)), (Outcome::Done, 1));
    let killer = vec![suspend(1), kill(1), wait(10), resume(1)];
    let player = run(vec![main, vec![receive()], killer]);
    assert_eq!(player.answers(p(2))[3], Grant::Refused(Refusal::Noproc));
    assert_eq!(player.outcome(), Outcome::Deadlock);
}

fn pause(process: u32, time: u64) -> Op {
    Op::Pause(p(process), time)
}

/// No stalls and no latency, so that times can be stated.
fn exactly(scripts: Vec<Vec<Op>>) -> Player {
    let config = Config {
        max_stall: 0,
        max_latency: 0,
        ..support::config()
    };
    fifo(config, scripts)
}

#[test]
fn of_several_pauses_the_last_to_end_counts() {
    let main = vec![
        spawn(HERE),
        Op::Yield,
        pause(1, 1000),
        pause(1, 100),
        send(1),
        wait(500),
        wait(1000),
    ];
    let player = exactly(vec![main, vec![receive(), send(0)]]);
    let answers = player.answers(MAIN);
    assert_eq!(answers[5], Grant::TimedOut);
    assert!(matches!(answers[6], Grant::Items(_)));
}

#[test]
fn a_process_goes_on_when_neither_it_nor_its_node_is_paused() {
    for (process, node) in [(100, 500), (500, 100)] {
        let rest = vec![
            Op::Yield,
            pause(1, process),
            Op::PauseNode(A, true),
            send(1),
            wait(node),
            Op::PauseNode(A, false),
            wait(399),
            wait(1000),
        ];
        let player = exactly(vec![main_on(&[A], rest), vec![receive(), send(0)]]);
        let answers = player.answers(MAIN);
        // Three nodes and a process are started first.
        let [before, _, after, last] = &answers[8..12] else {
            unreachable!()
        };
        assert_eq!(*before, Grant::TimedOut);
        assert_eq!(*after == Grant::TimedOut, node < process);
        assert!(matches!(if node < process { last } else { after }, Grant::Items(_)));
    }
}

#[test]
fn what_never_is_resumed_is_no_reason_to_go_on() {
    let player = run(vec![vec![spawn(HERE), suspend(1), receive()], vec![send(0)]]);
    assert_eq!(player.outcome(), Outcome::Deadlock);
}

#[test]
fn a_message_to_a_suspended_process_is_received_after_it_is_resumed() {
    let main = vec![
        spawn(HERE),
        Op::Yield,
        suspend(1),
        send(1),
        wait(1000),
        resume(1),
        wait(1000),
    ];
    let player = run(vec![main, vec![receive(), send(0)]]);
    let answers = player.answers(MAIN);
    assert_eq!(answers[4], Grant::TimedOut);
    assert!(matches!(answers[6], Grant::Items(_)));
}

#[test]
fn a_receive_that_times_out_while_suspended_has_timed_out() {
    let main = vec![
        spawn(HERE),
        Op::Yield,
        suspend(1),
        send(1),
        wait(1000),
        resume(1),
        wait(1000),
    ];
    let player = run(vec![main, vec![wait(500), receive()]]);
    let answers = player.answers(p(1));
    assert_eq!(answers[0], Grant::TimedOut);
    assert!(matches!(answers[1], Grant::Items(_)));
}

#[test]
fn what_was_sent_before_a_look_has_arrived() {
    let mut config = support::config();
    config.async_delivery = true;
    let main = vec![spawn(HERE), kill(1), look(1), Op::Look(None)];
    let mut late = 0;
    for seed in 0..100 {
        let player = random(config.clone(), seed, vec![main.clone(), vec![receive()]]);
        let events: Vec<_> = player
            .simulation
            .trace_events()
            .iter()
            .map(|event| event.kind)
            .collect();
        let place = |kind| events.iter().position(|&other| other == kind).unwrap();
        let looks = place(Kind::Look);
        assert!(place(Kind::ExitSignal) < looks);
        late += usize::from(place(Kind::ExitSignal) + 1 == looks);
    }
    assert!(late > 0, "the look brings some of them forward");
}

#[test]
fn a_suspended_process_takes_no_step_until_it_is_resumed_as_often() {
    let main = vec![
        spawn(HERE),
        suspend(1),
        suspend(1),
        wait(50_000),
        Op::Resume(p(1)),
        wait(50_000),
        Op::Resume(p(1)),
        receive(),
        receive(),
    ];
    // The second message is due while the process is suspended.
    let player = run(vec![main, vec![send(0), wait(1000), send(0)]]);
    let answers = player.answers(MAIN);
    assert_eq!(answers[1..4], [Grant::Bool(true), Grant::Bool(true), Grant::TimedOut]);
    assert_eq!(answers[4..7], [Grant::Bool(true), Grant::TimedOut, Grant::Bool(true)]);
    assert_eq!(player.received(MAIN), 2);
}

#[test]
fn suspensions_end_with_who_has_made_them() {
    let main = vec![spawn(HERE), spawn(HERE), wait(50_000)];
    let player = run(vec![main, vec![wait(1000), send(0)], vec![suspend(1), wait(10_000)]]);
    assert_eq!(player.received(MAIN), 1);
    let forever = vec![spawn(HERE), spawn(HERE), wait(50_000), kill(2), receive()];
    let player = run(vec![forever, vec![wait(1000), send(0)], vec![suspend(1), receive()]]);
    assert_eq!(player.answers(MAIN)[2], Grant::TimedOut);
    assert_eq!(player.received(MAIN), 1);
}

#[test]
fn what_is_suspended_can_be_killed() {
    for victim in [vec![], vec![wait(1000), send(0)], vec![receive()]] {
        let main = vec![
            spawn(HERE),
            suspend(1),
            monitor(1, 7),
            kill(1),
            receive(),
            Op::Resume(p(1)),
        ];
        let player = run(vec![main, victim]);
        assert_eq!(player.received(MAIN), 1);
        assert_eq!(player.answers(MAIN).last(), Some(&Grant::Ended));
        assert!(player.answers(MAIN).contains(&Grant::Refused(Refusal::Noproc)));
    }
}

#[test]
fn only_others_of_the_same_node_can_be_suspended_and_once_counts_once() {
    let once = Op::Suspend {
        process: p(1),
        once: true,
    };
    let main = vec![
        spawn(HERE),
        suspend(0),
        once.clone(),
        once,
        Op::Resume(p(1)),
        Op::Resume(p(1)),
    ];
    let answers = run(vec![main, vec![]]).answers(MAIN);
    let refused = Grant::Refused(Refusal::Noproc);
    let expected = [
        refused.clone(),
        Grant::Bool(true),
        Grant::Bool(false),
        Grant::Bool(true),
        refused.clone(),
    ];
    assert_eq!(answers[1..6], expected);
    let away = run(vec![main_on(&[A], vec![suspend(1)]), vec![receive()]]);
    assert!(away.answers(MAIN).contains(&refused));
}
