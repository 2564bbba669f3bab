//! How connections come about.

use crate::support::{self, A, B, C, NAMES, exit, monitor, p, receive, send, wait};
use crate::{News, R, S, apart, connect, crash, heal, news, results, run, silence, subscribe, times, trap, watch};
use lockstep_core::{AutoConnect, ExitClass, Grant, Item, Kind, Latency, Op, Outcome, ProcessId, Setting};

#[test]
fn what_waits_for_a_connection_arrives_in_order_after_the_news_of_it() {
    let sender = [vec![send(2); 4], vec![wait(S)]].concat();
    let receiver = [vec![subscribe()], vec![wait(S); 6]].concat();
    let scripts = [
        apart(&[A, B], vec![wait(1)]),
        [vec![wait(1)], sender].concat(),
        receiver,
    ];
    let expected = vec![News::Up, News::Message, News::Message, News::Message, News::Message];
    assert_eq!(results(&scripts, |player| news(player, 2)), [expected].into());
}

#[test]
fn a_set_up_that_nobody_answers_fails_after_seven_seconds() {
    let caller = vec![wait(5), connect(B), receive(), exit(ExitClass::Normal)];
    let player = run(vec![apart(&[A], vec![silence()]), caller]);
    assert_eq!(player.items(p(1)), [Item::Connected(R, false)]);
    assert_eq!(times(&player, Kind::Refused), [7 * S + 5]);
    assert_eq!(player.outcome(), Outcome::Done);
}

#[test]
fn what_waits_for_a_set_up_that_fails_is_lost_and_ties_break() {
    let caller = vec![
        trap(),
        send(2),
        Op::Link(p(2)),
        monitor(2, 9),
        watch(B),
        wait(8 * S),
        wait(1),
        wait(1),
        wait(1),
    ];
    let main = apart(&[A, B], vec![silence(), wait(8 * S), heal(), wait(8 * S)]);
    let player = run(vec![main, caller, vec![wait(20 * S)]]);
    assert_eq!(news(&player, 1), [News::Exit, News::Down, News::NodeDown]);
    assert_eq!(player.received(p(2)), 0);
    assert_eq!(times(&player, Kind::Refused), [7 * S]);
}

#[test]
fn a_set_up_goes_on_when_the_network_comes_back_in_time() {
    for (healed_after, connected) in [(6_999_999, true), (7_000_001, false)] {
        let main = apart(&[A], vec![silence(), wait(healed_after), heal(), wait(S)]);
        let player = run(vec![main, vec![connect(B), receive()]]);
        assert_eq!(player.items(p(1)), [Item::Connected(R, connected)]);
    }
}

#[test]
fn a_node_that_is_not_there_or_does_not_want_refuses_at_once() {
    let cookie = |node| Op::Configure(node, Setting::Cookie(None, Some(NAMES[0])));
    let allow = |node, others| Op::Configure(node, Setting::Allow(others));
    let refusing = [
        vec![Op::StopNode(B)],
        vec![cookie(B)],
        vec![cookie(A)],
        vec![allow(B, vec![C])],
        vec![allow(A, vec![C])],
    ];
    for settings in refusing {
        let player = run(vec![apart(&[A], settings), vec![wait(1), connect(B), receive()]]);
        assert_eq!(player.items(p(1)), [Item::Connected(R, false)]);
        assert_eq!(times(&player, Kind::Refused), [1]);
    }
    let accepting = [
        vec![cookie(A), cookie(B)],
        vec![allow(B, vec![C]), allow(B, vec![A])],
        vec![cookie(A), Op::Configure(B, Setting::Cookie(Some(A), Some(NAMES[0])))],
    ];
    for settings in accepting {
        let player = run(vec![apart(&[A], settings), vec![wait(1), connect(B), receive()]]);
        assert_eq!(player.items(p(1)), [Item::Connected(R, true)]);
    }
}

#[test]
fn of_two_attempts_at_a_time_one_becomes_the_connection_and_both_succeed() {
    let one = vec![subscribe(), wait(1), connect(B), wait(S), wait(S), wait(S)];
    let two = vec![subscribe(), wait(1), connect(A), wait(S), wait(S), wait(S)];
    let both = results(&[apart(&[A, B], vec![]), one, two], |player| {
        let connected = |process| player.items(p(process)).contains(&Item::Connected(R, true));
        // Who asks when it is there already is answered at once.
        let known = |process| player.answers(p(process)).contains(&Grant::Bool(true));
        assert!((connected(1) || known(1)) && (connected(2) || known(2)));
        let ups = |process| {
            news(player, process)
                .into_iter()
                .filter(|&news| news == News::Up)
                .count()
        };
        (ups(1), ups(2), times(player, Kind::Connected).len())
    });
    assert_eq!(both, [(1, 1, 1)].into());
}

#[test]
fn a_node_that_stops_or_crashes_meanwhile_refuses() {
    for end in [Op::StopNode(B), crash(B, false)] {
        let main = apart(&[A], vec![silence(), wait(S), end]);
        let player = run(vec![main, vec![connect(B), receive()]]);
        assert_eq!(player.items(p(1)), [Item::Connected(R, false)]);
        assert_eq!(times(&player, Kind::Refused), [S]);
    }
}

#[test]
fn who_connects_two_nodes_at_once_ends_their_attempt() {
    let main = apart(&[A, B], vec![wait(S), Op::Join(A, B), wait(S)]);
    let script = |latency| {
        let slow = Op::SetLatency {
            between: Some((A, B)),
            latency: Latency::range(latency, latency),
        };
        vec![slow, send(2), send(2), connect(B), receive(), wait(10 * S)]
    };
    let player = run(vec![
        main,
        script(5 * S),
        vec![subscribe(), wait(20 * S), wait(20 * S), wait(20 * S)],
    ]);
    assert_eq!(player.items(p(1)), [Item::Connected(R, true)]);
    assert_eq!(times(&player, Kind::Connected), [S]);
    assert_eq!(times(&player, Kind::Deliver), [5 * S, 5 * S]);
    assert_eq!(news(&player, 2), [News::Up, News::Message, News::Message]);
}

#[test]
fn never_and_once() {
    let configure = |when| Op::Configure(A, Setting::AutoConnect(when));
    let sender = vec![
        wait(S),
        send(2),
        wait(S),
        Op::Disconnect(A, B),
        wait(S),
        send(2),
        wait(S),
        connect(B),
        wait(S),
        send(2),
    ];
    for (when, arrived) in [
        (AutoConnect::Never, 1),
        (AutoConnect::Once, 2),
        (AutoConnect::Always, 3),
    ] {
        let main = apart(&[A, B], vec![configure(when)]);
        let player = run(vec![main, sender.clone(), vec![wait(20 * S); 4]]);
        assert_eq!(player.received(p(2)), arrived, "{when:?}");
    }
}

#[test]
fn a_process_that_dies_while_it_waits_for_a_connection_is_forgotten() {
    let main = apart(&[A], vec![silence(), wait(S), support::kill(1), wait(S)]);
    let player = run(vec![main, vec![connect(B), receive()]]);
    assert_eq!(player.deaths.keys().copied().collect::<Vec<ProcessId>>(), [p(0), p(1)]);
    assert_eq!(player.simulation.load(), lockstep_core::Load::default());
}
