//! A network that goes silent, nodes and processes that stand still, and messages that take their time.

use crate::support::{self, A, B, C, main_on, p, receive, send, spawn, wait};
use crate::{News, S, heal, news, run, silence, subscribe, times};
use lockstep_core::{Kind, Latency, NodeId, Op, PartitionMode, Scope};

#[test]
fn what_waits_behind_a_silent_cut_arrives_in_order_if_it_heals_in_time() {
    let sender = [vec![subscribe(), wait(2 * S)], vec![send(2); 4], vec![wait(100 * S)]].concat();
    let main = main_on(&[A, B], vec![wait(S), silence(), wait(29 * S), heal(), wait(S)]);
    let player = run(vec![main, sender, [vec![subscribe()], vec![wait(100 * S); 5]].concat()]);
    assert_eq!(news(&player, 2), [News::Message; 4]);
    assert_eq!(times(&player, Kind::Deliver), [30 * S; 4]);
    assert_eq!(news(&player, 1), []);
}

#[test]
fn a_side_that_cannot_hear_closes_the_connection_of_one_that_can() {
    let one_way = Op::CutOneWay {
        from: vec![A],
        to: vec![B],
        mode: PartitionMode::Tcp,
    };
    let main = main_on(&[A, B], vec![wait(S), one_way, wait(100 * S)]);
    let hearing = [vec![subscribe(), wait(2 * S), send(2)], vec![wait(100 * S); 3]].concat();
    let deaf = [vec![subscribe(), wait(2 * S), send(1)], vec![wait(100 * S); 3]].concat();
    let player = run(vec![main, hearing, deaf]);
    assert_eq!(news(&player, 1), [News::Message, News::Closed]);
    assert_eq!(news(&player, 2), [News::Silent]);
    assert_eq!(times(&player, Kind::Tick).len(), 1);
}

#[test]
fn what_is_held_waits_as_long_as_it_takes_and_nobody_is_the_wiser() {
    let way = |from: NodeId, to: NodeId| (vec![from], vec![to]);
    let (from, to) = way(A, B);
    let hold = Op::CutOneWay {
        from: from.clone(),
        to: to.clone(),
        mode: PartitionMode::Hold,
    };
    let heals_nothing = Op::Heal(Scope::Node(A));
    let main = main_on(
        &[A, B],
        vec![
            hold,
            wait(500 * S),
            heals_nothing,
            wait(S),
            Op::Release { from, to },
            wait(S),
        ],
    );
    let one = [vec![subscribe(), wait(S)], vec![send(2); 3], vec![wait(1000 * S); 3]].concat();
    let two = [vec![subscribe(), wait(2 * S), send(1)], vec![wait(1000 * S); 4]].concat();
    let player = run(vec![main, one, two]);
    assert_eq!(news(&player, 1), [News::Message]);
    assert_eq!(news(&player, 2), [News::Message; 3]);
    assert_eq!(times(&player, Kind::Deliver), [2 * S, 501 * S, 501 * S, 501 * S]);
}

#[test]
fn a_node_that_stood_still_handles_what_its_sender_gave_up() {
    let main = main_on(
        &[A, B],
        vec![
            wait(S),
            Op::PauseNode(B, true),
            wait(200 * S),
            Op::PauseNode(B, false),
            wait(S),
        ],
    );
    let one = [vec![subscribe(), wait(2 * S)], vec![send(2); 3], vec![wait(100 * S); 2]].concat();
    let two = [vec![subscribe()], vec![wait(500 * S); 5]].concat();
    let player = run(vec![main, one, two]);
    assert_eq!(news(&player, 1), [News::Silent]);
    // The third node has given it up, too.
    let closed = [News::Closed, News::Closed];
    assert_eq!(news(&player, 2), [&[News::Message; 3][..], &closed].concat());
    assert_eq!(times(&player, Kind::Deliver), [201 * S; 3]);
}

#[test]
fn nothing_happens_on_a_node_that_stands_still() {
    let main = main_on(
        &[A, A],
        vec![
            wait(S),
            Op::PauseNode(A, true),
            spawn(A),
            wait(10 * S),
            Op::PauseNode(A, false),
            wait(S),
        ],
    );
    // Its timer is due meanwhile, its receive times out meanwhile, and one is asked for meanwhile.
    let scripts = vec![
        main,
        vec![support::timer(2 * S, 1, 1), receive(), send(0)],
        vec![wait(3 * S), send(0)],
        vec![send(0)],
    ];
    let player = run(scripts);
    assert_eq!(times(&player, Kind::Fire), [11 * S]);
    let sent: Vec<_> = times(&player, Kind::Send);
    assert_eq!(sent, [11 * S; 3]);
}

#[test]
fn a_process_that_is_paused_goes_on_after_its_time() {
    let main = main_on(&[A], vec![wait(S), Op::Pause(p(1), 5 * S), wait(20 * S), wait(20 * S)]);
    let player = run(vec![main, vec![wait(2 * S), send(0), wait(S), send(0)]]);
    assert_eq!(times(&player, Kind::Send), [6 * S, 7 * S]);
    // A node that is paused longer keeps it.
    let main = main_on(
        &[A],
        vec![
            wait(S),
            Op::Pause(p(1), 5 * S),
            Op::PauseNode(A, true),
            wait(9 * S),
            Op::PauseNode(A, false),
            wait(9 * S),
        ],
    );
    let player = run(vec![main, vec![wait(2 * S), send(0)]]);
    assert_eq!(times(&player, Kind::Send), [10 * S]);
}

#[test]
fn messages_between_two_nodes_take_as_long_as_it_is_set() {
    let slow = |micros| Op::SetLatency {
        between: Some((A, B)),
        latency: Latency::range(micros, micros),
    };
    let sender = vec![slow(3 * S), send(2), send(3), wait(S), slow(0), send(2)];
    let scripts = vec![
        main_on(&[A, B, C], vec![]),
        sender,
        vec![wait(10 * S); 3],
        vec![wait(10 * S); 2],
    ];
    let player = run(scripts);
    // What is sent later is not earlier there.
    assert_eq!(times(&player, Kind::Deliver), [0, 3 * S, 3 * S]);
}
