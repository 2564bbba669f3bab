//! Connections between nodes: how they come about and are lost, who hears of it and when.
//!
//! The names of the rules are those of the tests in `test/distribution`.

mod support;

use std::collections::{BTreeSet, VecDeque};

use lockstep_core::strategy::{Candidates, Strategy as Choices};
use lockstep_core::{
    AutoConnect, Config, DownReason, ExitClass, Grant, Item, Kind, Latency, Micros, NodeEvent, NodeId, Op, Outcome,
    PartitionMode, ProcessId, RefId, Scope, Setting, Subscription, SystemReason, Target,
};
use proptest::prelude::*;
use support::{
    A, B, C, NAMES, NODES, Player, cut, exit, fifo, main_on, monitor, p, play, random, receive, send, spawn, wait,
};

const S: Micros = 1_000_000;
const R: RefId = RefId(7);
const LOST: SystemReason = SystemReason::Noconnection;

/// No stalls and no latency, so that times can be stated.
fn config() -> Config {
    Config {
        max_stall: 0,
        max_latency: 0,
        ..support::config()
    }
}

fn run(scripts: Vec<Vec<Op>>) -> Player {
    fifo(config(), scripts)
}

/// What a program comes to under many seeds, with latency.
fn results<T: Ord>(scripts: &[Vec<Op>], of: impl Fn(&Player) -> T) -> BTreeSet<T> {
    let config = Config {
        max_stall: 0,
        ..support::config()
    };
    let players = (0..300).map(|seed| random(config.clone(), seed, scripts.to_vec()));
    players.map(|player| of(&player)).collect()
}

/// As [`main_on`], on nodes that are not connected.
fn apart(nodes: &[NodeId], rest: Vec<Op>) -> Vec<Op> {
    let start = NODES.map(|name| Op::StartNode { name, connect: false });
    let spawns = nodes.iter().map(|&node| spawn(node));
    start.into_iter().chain(spawns).chain(rest).collect()
}

fn subscribe() -> Op {
    let subscription = Subscription {
        shape: 0,
        visible: true,
        hidden: false,
    };
    Op::MonitorNodes { subscription, on: true }
}

fn watch(node: NodeId) -> Op {
    Op::MonitorNode {
        node,
        lost: true,
        on: true,
    }
}

fn trap() -> Op {
    Op::TrapExit(true)
}

fn connect(node: NodeId) -> Op {
    Op::Connect(node, R)
}

fn crash(node: NodeId, orderly: bool) -> Op {
    Op::CrashNode { node, orderly }
}

fn silence() -> Op {
    cut(A, B, PartitionMode::Tcp)
}

fn heal() -> Op {
    Op::Heal(Scope::All)
}

/// What an item says of nodes: up, or why down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum News {
    Up,
    Disconnect,
    Closed,
    Silent,
    TakenOver,
    Message,
    Exit,
    Down,
    NodeDown,
    Other,
}

fn news(player: &Player, process: u32) -> Vec<News> {
    let items = player.items(p(process)).into_iter();
    items
        .map(|item| match item {
            Item::Node(NodeEvent { down, .. }) => match down {
                None => News::Up,
                Some(DownReason::Disconnect) => News::Disconnect,
                Some(DownReason::ConnectionClosed) => News::Closed,
                Some(DownReason::NetTickTimeout) => News::Silent,
                Some(DownReason::WaitPending) => News::TakenOver,
            },
            Item::Term(_) | Item::Parked(_) => News::Message,
            Item::Exit(_, LOST) => News::Exit,
            Item::Down(_, LOST) => News::Down,
            Item::NodeDown(_) => News::NodeDown,
            _ => News::Other,
        })
        .collect()
}

/// When something happened.
fn times(player: &Player, kind: Kind) -> Vec<Micros> {
    let events = player.simulation.trace_events().iter();
    events
        .filter(|event| event.kind == kind)
        .map(|event| event.time)
        .collect()
}

// Set-up.

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

// Loss.

#[test]
fn who_disconnects_knows_at_once_and_the_other_side_after_all_that_was_sent() {
    let caller = vec![
        trap(),
        subscribe(),
        Op::Link(p(2)),
        monitor(2, 9),
        watch(B),
        send(2),
        send(2),
        Op::Disconnect(A, B),
        Op::Receive(lockstep_core::Wait::Poll),
    ];
    let other = [vec![trap(), subscribe()], vec![wait(S); 4]].concat();
    let player = run(vec![
        main_on(&[A, B], vec![]),
        [vec![wait(1)], caller.clone()].concat(),
        other.clone(),
    ]);
    assert_eq!(
        news(&player, 1),
        [News::Exit, News::Down, News::NodeDown, News::Disconnect]
    );
    assert_eq!(
        news(&player, 2),
        [News::Message, News::Message, News::Exit, News::Closed]
    );
    // However long things are under way; what was sent last may be lost with the connection.
    let scripts = [main_on(&[A, B], vec![]), [vec![wait(1)], caller].concat(), other];
    let seen = results(&scripts, |player| {
        assert_eq!(
            news(player, 1),
            [News::Exit, News::Down, News::NodeDown, News::Disconnect]
        );
        let mut news = news(player, 2);
        let arrived = news.iter().take_while(|&&news| news == News::Message).count();
        let rest = news.split_off(arrived);
        // The link may be lost on its way, too.
        assert!(
            rest == [News::Exit, News::Closed] || (rest == [News::Closed] && arrived == 0),
            "{arrived} {rest:?}"
        );
        arrived
    });
    assert_eq!(seen, [0, 1, 2].into());
}

#[test]
fn of_what_a_node_sent_before_it_crashed_a_prefix_arrives() {
    let sender = [vec![wait(1)], vec![send(2); 3], vec![wait(S)]].concat();
    let receiver = [vec![subscribe()], vec![wait(S); 5]].concat();
    let scripts = [
        main_on(&[A, B], vec![wait(2), crash(A, false), wait(S)]),
        sender,
        receiver,
    ];
    let seen = results(&scripts, |player| {
        let news = news(player, 2);
        let (last, messages) = news.split_last().unwrap();
        assert_eq!(*last, News::Closed);
        assert!(messages.iter().all(|&news| news == News::Message));
        messages.len()
    });
    assert_eq!(seen, [0, 1, 2, 3].into());
}

#[test]
fn a_node_that_leaves_the_distribution_gives_up_all_connections_in_one_step() {
    let leaver = vec![
        wait(1),
        subscribe(),
        connect(B),
        wait(S),
        // Begins to connect to a third node, and would connect to the second one again.
        send(3),
        Op::Configure(A, Setting::Alive(false)),
        send(2),
        send(3),
        wait(10 * S),
    ];
    let others = vec![subscribe(), wait(S), wait(S), wait(10 * S)];
    let scripts = [apart(&[A, B, C], vec![]), leaver, others.clone(), others];
    let seen = results(&scripts, |player| {
        let kinds = player.simulation.trace_events().iter().map(|event| event.kind);
        let later = kinds.skip_while(|&kind| kind != Kind::Configure);
        assert_eq!(later.filter(|&kind| kind == Kind::Connected).count(), 0);
        assert!(player.simulation.connections(A).is_empty());
        [1, 2, 3].map(|process| news(player, process))
    });
    let second = [News::Up, News::Closed].to_vec();
    let never = [
        [News::Up, News::Other, News::Disconnect].to_vec(),
        second.clone(),
        vec![],
    ];
    // What was sent to the third node after the connection to it was there may have been lost again.
    let first = [News::Up, News::Other, News::Up, News::Disconnect, News::Disconnect].to_vec();
    let in_time = |third| [first.clone(), second.clone(), third];
    let third = [
        vec![News::Up, News::Closed],
        vec![News::Up, News::Message, News::Closed],
    ];
    assert_eq!(seen, [never].into_iter().chain(third.map(in_time)).collect());
}

#[test]
fn what_a_node_sent_before_it_stopped_in_order_arrives() {
    let sender = [vec![wait(1)], vec![send(2); 3], vec![wait(S)]].concat();
    let receiver = [vec![subscribe()], vec![wait(S); 5]].concat();
    let main = main_on(&[A, B], vec![wait(2), crash(A, true), wait(S)]);
    let seen = results(&[main, sender, receiver], |player| news(player, 2));
    let all = vec![News::Message, News::Message, News::Message, News::Closed];
    assert_eq!(seen, [all].into());
}

#[test]
fn a_lost_connection_leaves_one_gap() {
    // 1 sends to 2, a message a ms, and 2's node closes the connection meanwhile.
    let stream: Vec<_> = (0..30).flat_map(|_| [wait(1000), send(2)]).collect();
    let receiver = [vec![subscribe()], vec![wait(S); 40]].concat();
    let main = main_on(&[A, B], vec![wait(4500), Op::Disconnect(B, A), wait(S)]);
    let seen = results(&[main, stream, receiver], |player| {
        let sent: Vec<_> = times(player, Kind::Send);
        assert_eq!(sent.len(), 30);
        let (items, mut events) = (player.items(p(2)), news(player, 2));
        events.retain(|&news| news != News::Message);
        assert_eq!(events, [News::Disconnect, News::Up]);
        let ids = items.iter().filter_map(|item| match item {
            Item::Term(id) => Some(id.0),
            _ => None,
        });
        let ids: Vec<_> = ids.collect();
        assert!(
            ids.windows(2).filter(|pair| pair[1] != pair[0] + 1).count() <= 1,
            "{ids:?}"
        );
        30 - ids.len()
    });
    assert!(seen.contains(&0) && seen.len() > 2, "{seen:?}");
}

#[test]
fn what_a_process_watches_fires_in_the_order_in_which_it_began() {
    let orders = [
        (vec![watch(B), monitor(2, 1)], vec![News::NodeDown, News::Down]),
        (vec![monitor(2, 1), watch(B)], vec![News::Down, News::NodeDown]),
        (
            vec![watch(B), monitor(2, 1), watch(B)],
            vec![News::NodeDown, News::NodeDown, News::Down],
        ),
        (
            vec![monitor(2, 1), watch(B), monitor(2, 2), trap(), Op::Link(p(2))],
            vec![News::Exit, News::Down, News::NodeDown, News::Down],
        ),
    ];
    for (watched, heard) in orders {
        let watcher = [watched, vec![wait(S); 4]].concat();
        let main = main_on(&[A, B], vec![wait(1), Op::Disconnect(B, A), wait(S)]);
        let player = run(vec![main, watcher, vec![wait(2 * S), wait(2 * S)]]);
        assert_eq!(news(&player, 1), heard);
    }
}

#[test]
fn a_side_that_reconnects_takes_over_from_the_old_connection() {
    // 1's node gives 2's up after 60 s, and 2's node that one after 4 s.
    let tick = Op::Configure(B, Setting::Tick(4 * S, 4));
    let main = main_on(&[A, B], vec![tick, wait(S), silence(), wait(10 * S), heal()]);
    let one = [
        vec![
            wait(1),
            trap(),
            subscribe(),
            Op::Link(p(2)),
            monitor(2, 9),
            watch(B),
            wait(2 * S),
        ],
        vec![send(2); 3],
        vec![wait(20 * S); 9],
    ]
    .concat();
    let two = [vec![trap(), wait(11 * S), wait(5 * S), send(1)], vec![wait(20 * S); 3]].concat();
    let seen = results(&[main, one, two], |player| {
        assert_eq!(news(player, 2), [News::Exit]);
        news(player, 1)
    });
    let taken_over = vec![
        News::Exit,
        News::Down,
        News::NodeDown,
        News::TakenOver,
        News::Up,
        News::Message,
    ];
    let closed = vec![
        News::Exit,
        News::Down,
        News::NodeDown,
        News::Closed,
        News::Up,
        News::Message,
    ];
    assert_eq!(seen, [taken_over, closed].into());
}

// Silence.

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

// Pauses.

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

// Latency.

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

// Connections that take no more (R-FLOW).

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

// R-TICK.

/// Undisturbed, and with these numbers for what is drawn.
#[derive(Debug)]
struct Drawn(VecDeque<u64>);

impl Choices for Drawn {
    fn schedule(&mut self, _candidates: &Candidates<'_>, _choices: usize) -> usize {
        0
    }

    fn stall(&mut self, _max: Micros, _upcoming: &[Micros]) -> Micros {
        0
    }

    fn latency(&mut self, _max: Micros) -> Micros {
        self.0.pop_front().expect("nothing else is drawn")
    }

    fn fault(&mut self, _count: u64) -> u64 {
        0
    }
}

/// How a node ticks: how long until it gives up, in how many ticks, and at which time it began.
#[derive(Debug, Clone, Copy)]
struct Ticks {
    period: Micros,
    intensity: u64,
    phase: Micros,
}

impl Ticks {
    fn until(self, end: Micros) -> impl Iterator<Item = Micros> {
        (0..)
            .map(move |count| self.phase + count * self.period)
            .take_while(move |&time| time <= end)
    }
}

/// When a node that ticks as `own` gives up one that ticks as `theirs` and has written something at these times, when
/// nothing that is written after `cut` gets there: tick by tick, as `dist_util.erl` counts.
fn given_up(own: Ticks, theirs: Ticks, written: &[Micros], cut: Micros) -> Micros {
    let end = cut + 4 * own.period * own.intensity;
    let mut arrivals: Vec<_> = written.to_vec();
    let mut before = 0;
    for tick in theirs.until(end) {
        if !written.iter().any(|&time| before < time && time <= tick) {
            arrivals.push(tick);
        }
        before = tick;
    }
    arrivals.retain(|&time| time <= cut);
    let (mut read, mut heard_in) = (0, 0);
    for (count, tick) in own.until(end).enumerate() {
        let number = count as u64 % own.intensity + 1;
        let arrived = arrivals.iter().filter(|&&time| time <= tick).count();
        if arrived == read && heard_in == number {
            return tick;
        }
        if arrived > read {
            (read, heard_in) = (arrived, number);
        }
    }
    unreachable!("silence is noticed")
}

/// Two nodes with the same tick time, as they have to have, in different numbers of ticks.
fn ticks() -> impl Strategy<Value = [Ticks; 2]> {
    // So that every intensity gives a whole and even period.
    let time = (1u64..20).prop_map(|factor| 2 * 840 * factor);
    let node = || (4u64..9, any::<u16>());
    (time, [node(), node()]).prop_map(|(time, nodes)| {
        nodes.map(|(intensity, phase)| Ticks {
            period: time / intensity,
            intensity,
            phase: 2 * (u64::from(phase) % (time / intensity / 2)),
        })
    })
}

/// Sends at these times, which only grow.
fn at_times(times: &[Micros], to: u32) -> Vec<Op> {
    let waits = times.iter().scan(0, |now, &time| {
        let step = time - std::mem::replace(now, time);
        Some([wait(step), send(to)])
    });
    waits.flatten().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    /// Both sides against the model. Ticks are at even times, and all else at odd ones.
    #[test]
    fn silence_is_noticed_when_ticks_say_so(
        [a, b] in ticks(),
        gaps in prop::collection::vec(1u64..5000, 0..12),
        answers in prop::collection::vec(1u64..5000, 0..12),
        cut_at in 40_000u64..80_000,
    ) {
        let odd = |gaps: &[u64]| -> Vec<Micros> {
            gaps.iter().scan(1, |time, &gap| { *time += 2 * gap; Some(*time) }).collect()
        };
        let (from_a, from_b, cut_at) = (odd(&gaps), odd(&answers), 2 * cut_at + 1);
        let set = |node, ticks: Ticks| Op::Configure(node, Setting::Tick(ticks.period * ticks.intensity, ticks.intensity));
        let rest = vec![set(A, a), set(B, b), wait(cut_at), silence(), wait(100 * S)];
        let listen = vec![wait(100 * S); 24];
        // Who sends gets nothing, so that nothing cuts its waits short.
        let scripts = vec![
            main_on(&[A, B, A, B], rest),
            at_times(&from_a, 4),
            at_times(&from_b, 3),
            listen.clone(),
            listen,
        ];
        // The cut is looked at from B first, which needs to know how A ticks, and how it ticks itself.
        let phases = Drawn([a.phase, b.phase].into());
        let player = play(config(), Box::new(phases), &mut { scripts });
        let given_up_by = |node: NodeId| {
            let events = player.simulation.trace_events().iter();
            let tick = events.filter(|event| event.kind == Kind::Tick && event.object == u64::from(node.0));
            tick.map(|event| event.time).collect::<Vec<_>>()
        };
        prop_assert_eq!(given_up_by(A), vec![given_up(a, b, &from_b, cut_at)]);
        prop_assert_eq!(given_up_by(B), vec![given_up(b, a, &from_a, cut_at)]);
    }
}

// What a run leaves behind.

#[test]
fn nothing_of_connections_is_left_when_a_run_has_come_to_rest() {
    let main = apart(&[A, B], vec![wait(S), silence(), wait(100 * S), heal()]);
    let one = vec![
        connect(B),
        receive(),
        wait(2 * S),
        send(2),
        Op::Send(Target::Name(B, NAMES[0])),
        wait(200 * S),
    ];
    for seed in 0..50 {
        let player = random(
            support::config(),
            seed,
            vec![main.clone(), one.clone(), vec![wait(300 * S)]],
        );
        assert_eq!(player.simulation.load(), lockstep_core::Load::default());
    }
}

#[test]
fn a_process_that_dies_while_it_waits_for_a_connection_is_forgotten() {
    let main = apart(&[A], vec![silence(), wait(S), support::kill(1), wait(S)]);
    let player = run(vec![main, vec![connect(B), receive()]]);
    assert_eq!(player.deaths.keys().copied().collect::<Vec<ProcessId>>(), [p(0), p(1)]);
    assert_eq!(player.simulation.load(), lockstep_core::Load::default());
}
