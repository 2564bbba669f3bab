//! Connections that take no more (R-FLOW).

use crate::support::{self, A, B, C, Player, fifo, main_on, p, send, wait};
use crate::{S, apart, config, heal, run, silence, subscribe, times};
use lockstep_core::{Config, Kind, Micros, Op};

const LIMIT: u64 = 1 << 20;

fn weigh(bytes: u64) -> Op {
    Op::Weigh { bytes, suspend: true }
}

/// When a process has announced that it ends, which it does as soon as nothing keeps it.
fn ended(player: &Player, process: u32) -> Micros {
    let mut events = player.simulation.trace_events().iter();
    let end = events.find(|event| event.kind == Kind::Exit && event.process == Some(p(process)));
    end.expect("it ends").time
}

#[test]
fn who_sends_more_than_a_silent_connection_takes_waits_until_it_takes_more() {
    for (bytes, until) in [(LIMIT - 1, S), (LIMIT, 20 * S)] {
        let main = main_on(&[A, B], vec![silence(), wait(20 * S), heal(), wait(S)]);
        let player = run(vec![main, vec![wait(S), send(2), weigh(bytes)], vec![wait(50 * S)]]);
        assert_eq!(ended(&player, 1), until);
        assert_eq!(times(&player, Kind::Deliver), [20 * S]);
        assert_eq!(times(&player, Kind::Busy).len(), usize::from(until > S));
    }
}

#[test]
fn what_all_processes_of_a_node_send_counts_together_and_all_wait() {
    let main = main_on(&[A, B, A, A, A, C], vec![silence(), wait(20 * S), heal(), wait(S)]);
    let half = |at: Micros, op: Op| vec![wait(at), op, weigh(LIMIT / 2)];
    let scripts = vec![
        main,
        half(S, send(2)),
        vec![wait(50 * S); 2],
        half(2 * S, send(2)),
        half(3 * S, Op::Link(p(2))),
        // To another node the way is free.
        half(3 * S, send(6)),
        vec![wait(50 * S)],
    ];
    let player = run(scripts);
    let ends: Vec<_> = [1, 3, 4, 5].map(|process| ended(&player, process)).into();
    assert_eq!(ends, [S, 20 * S, 20 * S, 3 * S]);
}

#[test]
fn who_does_not_want_to_be_suspended_is_not() {
    // It ends with the main process, before the silence is noticed.
    let early = Config {
        quiescence: false,
        ..config()
    };
    let main = main_on(&[A, B], vec![silence(), wait(20 * S)]);
    let weigh = Op::Weigh {
        bytes: LIMIT,
        suspend: false,
    };
    let player = fifo(
        early,
        vec![main, vec![wait(S), send(2), weigh, send(2)], vec![wait(50 * S)]],
    );
    assert_eq!(ended(&player, 1), S);
    assert!(player.simulation.busy(A, B) && !player.simulation.busy(B, A) && !player.simulation.busy(A, C));
}

#[test]
fn who_waits_goes_on_when_the_connection_is_lost() {
    let sender = vec![wait(S), send(2), weigh(LIMIT), subscribe(), wait(50 * S)];
    let silent = [
        (vec![silence()], 60 * S),
        (vec![Op::PauseNode(B, true)], 60 * S),
        (vec![silence(), wait(5 * S), Op::Disconnect(A, B)], 5 * S),
        (
            vec![
                silence(),
                wait(5 * S),
                Op::CrashNode {
                    node: B,
                    orderly: false,
                },
            ],
            60 * S,
        ),
        (vec![silence(), wait(5 * S), Op::StopNode(B)], 5 * S),
    ];
    for (faults, until) in silent {
        let main = main_on(&[A, B], [faults, vec![wait(200 * S), heal()]].concat());
        let player = run(vec![main, sender.clone(), vec![wait(20 * S)]]);
        let goes_on = times(&player, Kind::MonitorNodes);
        assert!(
            goes_on.len() == 1 && (until..=until + 15 * S).contains(&goes_on[0]),
            "{goes_on:?} {until}"
        );
        assert_eq!(player.received(p(2)), 0);
    }
}

#[test]
fn a_connection_that_is_being_set_up_takes_as_much() {
    let sender = vec![wait(S), send(2), weigh(LIMIT)];
    let player = run(vec![
        apart(&[A, B], vec![silence(), wait(20 * S)]),
        sender.clone(),
        vec![wait(20 * S)],
    ]);
    assert_eq!(ended(&player, 1), 8 * S);
    let main = apart(&[A, B], vec![silence(), wait(5 * S), heal(), wait(S)]);
    let player = run(vec![main, sender, vec![wait(20 * S)]]);
    assert_eq!((ended(&player, 1), player.received(p(2))), (5 * S, 1));
}

#[test]
fn who_waits_for_a_connection_can_be_killed() {
    let main = main_on(&[A, B], vec![silence(), wait(2 * S), support::kill(1), wait(S)]);
    let player = run(vec![
        main,
        vec![wait(S), send(2), weigh(LIMIT), send(0)],
        vec![wait(20 * S)],
    ]);
    assert!(player.deaths.contains_key(&p(1)));
    assert_eq!(times(&player, Kind::Send), [S]);
}

#[test]
fn nothing_is_weighed_where_all_gets_out() {
    let main = main_on(&[A, B], vec![wait(20 * S)]);
    let player = run(vec![
        main,
        vec![wait(S), send(2), weigh(9 * LIMIT), weigh(9 * LIMIT)],
        vec![wait(50 * S)],
    ]);
    assert_eq!(ended(&player, 1), S);
    assert!(!player.simulation.busy(A, B));
}
