//! Nodes, latency, partitions.

mod support;

use std::collections::BTreeSet;

use lockstep_core::{
    Config, Death, ExitClass, Grant, Item, Kind, MAIN, NodeId, Op, Outcome, PartitionMode, RefId, Refusal, Scope,
    SystemReason, Target,
};
use support::{
    A, B, C, NAMES, NODES, Player, cut, exit, fifo, kill, main_on, monitor, p, random, receive, send, spawn, timer,
    wait,
};

const R: RefId = RefId(7);

fn run(scripts: Vec<Vec<Op>>) -> Player {
    fifo(config(), scripts)
}

/// No stalls and no latency, so that times can be stated.
fn config() -> Config {
    Config {
        max_stall: 0,
        max_latency: 0,
        ..support::config()
    }
}

fn slow() -> Config {
    Config {
        max_stall: 0,
        ..support::config()
    }
}

fn watch(node: NodeId, lost: bool) -> Op {
    Op::MonitorNode { node, lost, on: true }
}

fn trap() -> Op {
    Op::TrapExit(true)
}

fn to_name(node: NodeId) -> Op {
    Op::Send(Target::Name(node, NAMES[0]))
}

/// Long enough for all that is under way to arrive.
fn settle() -> Op {
    wait(50_000)
}

fn lost(player: &Player) -> usize {
    player
        .simulation
        .trace_events()
        .iter()
        .filter(|event| event.kind == Kind::Lost)
        .count()
}

fn results<T: Ord>(config: &Config, scripts: &[Vec<Op>], of: impl Fn(&Player) -> T) -> BTreeSet<T> {
    (0..300)
        .map(|seed| of(&random(config.clone(), seed, scripts.to_vec())))
        .collect()
}

// What is checked in every run: the order between two processes (see `support`).

#[test]
fn only_the_order_between_two_processes_is_kept() {
    let sender = [vec![wait(1)], vec![send(3); 3]].concat();
    let scripts = [
        main_on(&[A, A, B], vec![]),
        sender.clone(),
        sender,
        vec![wait(20_000); 7],
    ];
    let orders = results(&slow(), &scripts, |player| player.senders(p(3)));
    assert!(
        orders.len() > 10,
        "messages of different senders overtake one another: {orders:?}"
    );
}

#[test]
fn a_message_of_another_sender_may_arrive_first_whatever_caused_it() {
    // 1 sends to 3, then to 2, and 2 then to 3 (R-ORD2).
    let scripts = [
        main_on(&[A, B, C], vec![]),
        vec![wait(1), send(3), send(2)],
        vec![receive(), send(3)],
        vec![settle(), settle()],
    ];
    assert_eq!(
        results(&slow(), &scripts, |player| player.senders(p(3))),
        [vec![p(1), p(2)], vec![p(2), p(1)]].into()
    );
}

#[test]
fn nothing_overtakes_a_message_to_a_name() {
    let sender = vec![wait(1), to_name(B), send(2), to_name(B), monitor(2, 1)];
    let receiver = vec![
        Op::Register(NAMES[0], p(2)),
        monitor(1, 7),
        wait(30_000),
        wait(30_000),
        wait(30_000),
        wait(30_000),
    ];
    let scripts = [main_on(&[A, B], vec![]), sender, receiver];
    let orders = results(&slow(), &scripts, |player| {
        let kinds = player
            .items(p(2))
            .into_iter()
            .map(|item| matches!(item, Item::Parked(_)));
        kinds.collect::<Vec<_>>()
    });
    assert_eq!(
        orders,
        [vec![true, false, true, false]].into(),
        "name, pid, name, and DOWN as the last"
    );
}

#[test]
fn what_a_name_brings_with_it_overtakes_nothing_either() {
    // To 2 by pid, to 2 by name, to 3: if the last comes first, it brings the second, and that the first.
    let sender = vec![wait(1), send(2), to_name(B), send(3)];
    let receiver = vec![Op::Register(NAMES[0], p(2)), settle(), settle()];
    let scripts = [main_on(&[A, B, B], vec![]), sender, receiver, vec![settle()]];
    let orders = results(&slow(), &scripts, |player| {
        let kinds = player
            .items(p(2))
            .into_iter()
            .map(|item| matches!(item, Item::Parked(_)));
        kinds.collect::<Vec<_>>()
    });
    assert_eq!(orders, [vec![false, true]].into());
}

#[test]
fn a_cut_loses_what_is_sent_and_what_arrives() {
    let main = main_on(
        &[A, B],
        vec![
            wait(10),
            cut(A, B, PartitionMode::Drop),
            wait(10),
            Op::Heal(Scope::All),
            settle(),
        ],
    );
    let sender = vec![wait(1), send(2), wait(15), send(2), wait(15), send(2)];
    let player = run(vec![main, sender, vec![wait(1000), wait(1000)]]);
    assert_eq!((player.received(p(2)), lost(&player)), (2, 1));
    // Sent before the cut, and under way when it comes.
    let main = main_on(
        &[A, B],
        vec![wait(2), cut(A, B, PartitionMode::Drop), settle(), Op::Heal(Scope::All)],
    );
    let scripts = [main, vec![wait(1), send(2)], vec![settle()]];
    assert_eq!(
        results(&slow(), &scripts, |player| (player.received(p(2)), lost(player))),
        [(0, 1), (1, 0)].into()
    );
    // Without the cut it always arrives.
    let scripts = [main_on(&[A, B], vec![]), vec![wait(1), send(2)], vec![settle()]];
    assert_eq!(
        results(&slow(), &scripts, |player| (player.received(p(2)), lost(player))),
        [(1, 0)].into()
    );
}

#[test]
fn the_control_node_is_never_cut_off() {
    let groups = vec![vec![NodeId(0)], vec![A, B]];
    let main = main_on(
        &[A],
        vec![Op::Partition(groups, PartitionMode::Drop), send(1), receive()],
    );
    let player = run(vec![main, vec![receive(), send(0)]]);
    assert_eq!(player.outcome(), Outcome::Done);
}

#[test]
fn deferred_messages_are_there_before_heal_returns() {
    let before = vec![
        cut(A, B, PartitionMode::Defer),
        wait(30_000),
        Op::Heal(Scope::All),
        Op::Yield,
    ];
    let scripts = [
        main_on(&[A, B, B], before),
        vec![wait(1), send(2), send(3), send(2)],
        vec![receive(), receive()],
        vec![receive()],
    ];
    for seed in 0..100 {
        let player = random(slow(), seed, scripts.to_vec());
        let events = player.simulation.trace_events();
        let heal = events.iter().position(|event| event.kind == Kind::Heal).unwrap();
        let after: Vec<_> = events[heal + 1..heal + 4]
            .iter()
            .map(|event| (event.kind, event.object))
            .collect();
        assert_eq!(after, [(Kind::Deliver, 1), (Kind::Deliver, 2), (Kind::Deliver, 3)]);
        assert_eq!((player.received(p(2)), player.received(p(3))), (2, 1));
        assert!(!events[..heal].iter().any(|event| event.kind == Kind::Deliver));
    }
}

#[test]
fn what_was_deferred_is_kept_when_the_cut_becomes_one_that_drops() {
    let main = main_on(
        &[A, B],
        vec![
            cut(A, B, PartitionMode::Defer),
            wait(10),
            cut(A, B, PartitionMode::Drop),
            wait(10),
            Op::Heal(Scope::All),
        ],
    );
    let player = run(vec![main, vec![send(2), wait(15), send(2)], vec![settle(), settle()]]);
    assert_eq!((player.received(p(2)), lost(&player)), (1, 1));
}

#[test]
fn what_is_under_way_when_a_deferring_cut_comes_waits_for_its_end() {
    let rest = vec![wait(2), cut(A, B, PartitionMode::Defer), settle(), Op::Heal(Scope::All)];
    let scripts = [main_on(&[A, B], rest), vec![wait(1), send(2)], vec![wait(200_000)]];
    let when = results(&slow(), &scripts, |player| {
        let events = player.simulation.trace_events().iter().map(|event| event.kind);
        let order = events.filter(|kind| matches!(kind, Kind::Partition | Kind::Deliver | Kind::Heal | Kind::Lost));
        order.map(Kind::name).collect::<Vec<_>>()
    });
    let before = vec!["deliver", "partition", "heal"];
    let after = vec!["partition", "heal", "deliver"];
    assert_eq!(when, [before, after].into());
}

#[test]
fn what_is_under_way_to_be_deferred_is_kept_too() {
    let to_drop = cut(A, B, PartitionMode::Drop);
    let main = main_on(
        &[A, B],
        vec![
            cut(A, B, PartitionMode::Defer),
            wait(2),
            to_drop,
            settle(),
            Op::Heal(Scope::All),
            settle(),
        ],
    );
    let scripts = [main, vec![wait(1), send(2)], vec![wait(200_000)]];
    assert_eq!(results(&slow(), &scripts, |player| player.received(p(2))), [1].into());
}

#[test]
fn whom_a_lost_connection_kills_dies_before_anything_else_happens() {
    let cut = cut(A, B, PartitionMode::Drop);
    let main = vec![wait(10), Op::SetTickTime(1000), timer(1000, 0, 1), cut, receive()];
    let player = run(vec![
        main_on(&[A, B], main),
        vec![Op::Link(p(2)), receive()],
        vec![receive()],
    ]);
    let kinds: Vec<_> = player
        .simulation
        .trace_events()
        .iter()
        .map(|event| event.kind)
        .collect();
    let tick = kinds.iter().position(|&kind| kind == Kind::Tick).unwrap();
    let both_sides = [Kind::Tick, Kind::Disconnected, Kind::Tick, Kind::Disconnected];
    assert_eq!(kinds[tick..tick + 4], both_sides);
    assert_eq!(kinds[tick + 4..tick + 7], [Kind::Killed, Kind::Killed, Kind::Fire]);
}

#[test]
fn a_partition_is_noticed_after_the_tick_time() {
    for (heal_after, noticed) in [(999, false), (1001, true)] {
        let ties = vec![trap(), Op::Link(p(2)), monitor(2, 7), watch(B, true), watch(B, false)];
        let main = vec![
            wait(10),
            Op::SetTickTime(1000),
            cut(A, B, PartitionMode::Drop),
            wait(heal_after),
            Op::Heal(Scope::All),
            wait(1000),
        ];
        let other_side = vec![trap(), wait(5000), wait(5000)];
        let player = run(vec![
            main_on(&[A, B], main),
            [ties, vec![receive(), wait(5000)]].concat(),
            other_side,
        ]);
        let lost = SystemReason::Noconnection;
        let expected = [Item::Exit(p(2), lost), Item::Down(R, lost), Item::NodeDown(B)];
        let ties = if noticed { &expected[..] } else { &[] };
        assert_eq!(player.items(p(1))[..ties.len()], *ties);
        // The links end with the connection, and the ends of processes are told only as far as they are tied.
        assert_eq!(player.items(p(2)).contains(&Item::Exit(p(1), lost)), noticed);
        let tick = player
            .simulation
            .trace_events()
            .iter()
            .find(|event| event.kind == Kind::Tick)
            .map(|event| event.time);
        assert_eq!(tick, noticed.then_some(1010));
    }
}

#[test]
fn the_tick_time_counts_from_the_cut_even_if_it_is_set_later() {
    let tick = |time| {
        let main = main_on(
            &[A, B],
            vec![
                cut(A, B, PartitionMode::Drop),
                wait(500),
                Op::SetTickTime(time),
                wait(5000),
            ],
        );
        let player = run(vec![main]);
        player
            .simulation
            .trace_events()
            .iter()
            .find(|event| event.kind == Kind::Tick)
            .map(|event| event.time)
    };
    assert_eq!(
        (tick(2000), tick(100), tick(1_000_000)),
        (Some(2000), Some(500), Some(1_000_000))
    );
}

#[test]
fn across_a_partition_that_is_noticed_nothing_new_begins() {
    let after = vec![
        wait(2000),
        monitor(2, 7),
        support::request(B, 9),
        trap(),
        Op::Link(p(2)),
        kill(2),
        watch(B, true),
        watch(B, false),
        receive(),
    ];
    let main = vec![Op::SetTickTime(1000), cut(A, B, PartitionMode::Drop), wait(3000)];
    let player = run(vec![main_on(&[A, B], main), after, vec![settle()]]);
    let lost = SystemReason::Noconnection;
    assert_eq!(
        player.items(p(1)),
        [Item::Down(R, lost), Item::Exit(p(2), lost), Item::NodeDown(B)]
    );
    assert_eq!(player.answers(p(1))[2], Grant::Spawned(None));
    assert_eq!(player.deaths[&p(2)], None);
}

#[test]
fn a_link_or_monitor_that_a_partition_broke_does_not_come_back() {
    let ties = vec![trap(), Op::Link(p(2)), monitor(2, 7), wait(2000), wait(100_000)];
    let main = vec![
        wait(1),
        Op::SetTickTime(100),
        cut(A, B, PartitionMode::Drop),
        wait(1000),
        Op::Heal(Scope::All),
        wait(1000),
        kill(2),
        settle(),
    ];
    let player = run(vec![main_on(&[A, B], main), ties, vec![receive(), receive()]]);
    assert_eq!((player.received(p(1)), player.fired[&R]), (2, 1));
}

#[test]
fn the_last_signals_of_a_process_wait_behind_a_cut() {
    for mode in [PartitionMode::Drop, PartitionMode::Defer] {
        let main = vec![
            wait(10),
            cut(A, B, mode),
            kill(2),
            wait(1000),
            Op::Heal(Scope::All),
            settle(),
        ];
        let player = run(vec![
            main_on(&[A, B], main),
            vec![trap(), Op::Link(p(2)), monitor(2, 7), wait(500), settle()],
            vec![receive()],
        ]);
        assert!(
            player.answers(p(1)).contains(&Grant::TimedOut),
            "not before the partition heals"
        );
        assert_eq!((player.received(p(1)), player.senders(p(1))), (2, vec![p(2), p(2)]));
    }
}

#[test]
fn stopping_a_node_kills_all_that_is_on_it_at_once() {
    let main = main_on(&[A, A, B, A], vec![wait(10), Op::StopNode(A), settle()]);
    let tied = vec![
        trap(),
        Op::Link(p(1)),
        monitor(1, 7),
        watch(A, false),
        watch(A, true),
        receive(),
        settle(),
    ];
    let trapping = vec![trap(), Op::Link(p(1)), receive(), send(0)];
    let player = run(vec![
        main,
        vec![receive()],
        trapping,
        tied,
        vec![timer(1000, 4, 9), receive()],
    ]);
    let killed = Some(Death::System(SystemReason::Killed));
    assert_eq!([p(1), p(2), p(4)].map(|process| player.deaths[&process]), [killed; 3]);
    assert_eq!(player.received(MAIN), 0, "one that traps exits does not run either");
    let down = SystemReason::Nodedown;
    let told = [
        Item::Exit(p(1), down),
        Item::Down(R, down),
        Item::NodeDown(A),
        Item::NodeDown(A),
    ];
    assert_eq!(player.items(p(3)), told);
    assert_eq!(player.simulation.load(), lockstep_core::Load::default());
}

#[test]
fn whose_signals_are_lost_with_their_node_is_still_told() {
    // Process 1 has ended, and its last signals are under way when the node is stopped.
    let main = main_on(&[A, B], vec![wait(10), kill(1), wait(1), Op::StopNode(A), settle()]);
    let scripts = [
        main,
        vec![receive()],
        vec![trap(), Op::Link(p(1)), monitor(1, 7), settle(), settle(), settle()],
    ];
    let told = results(&slow(), &scripts, |player| {
        assert_eq!((player.received(p(2)), player.fired[&R]), (2, 1));
        player.items(p(2)).contains(&Item::Down(R, SystemReason::Nodedown))
    });
    assert_eq!(told, [false, true].into());
}

#[test]
fn a_process_can_stop_its_own_node() {
    let main = main_on(
        &[A],
        vec![
            monitor(1, 7),
            receive(),
            Op::StartNode {
                name: NODES[0],
                connect: true,
            },
            spawn(A),
            settle(),
        ],
    );
    let player = run(vec![main, vec![Op::StopNode(A), send(0)], vec![send(0)]]);
    assert_eq!(player.items(MAIN)[0], Item::Down(R, SystemReason::Nodedown));
    assert_eq!(player.senders(MAIN), [p(2)]);
    assert_eq!(player.outcome(), Outcome::Done);
}

#[test]
fn a_node_that_is_started_again_knows_nothing_of_before() {
    let old = vec![Op::Register(NAMES[0], p(1)), timer_for_name(5000), receive()];
    let rest = vec![
        wait(10),
        Op::StopNode(A),
        Op::StopNode(A),
        send(1),
        to_name(A),
        Op::StartNode {
            name: NODES[0],
            connect: true,
        },
        spawn(A),
        send(1),
        settle(),
    ];
    let player = run(vec![
        main_on(&[A], rest),
        old,
        vec![Op::Register(NAMES[0], p(2)), wait(10_000)],
    ]);
    let answers = player.answers(MAIN);
    assert_eq!(
        answers[5..9],
        [Grant::Done, Grant::Refused(Refusal::NodeDown), Grant::Done, Grant::Done]
    );
    assert_eq!(answers[9], Grant::Node(A));
    assert_eq!(answers[11], Grant::Done, "the old pid stays dead");
    assert_eq!(
        player.answers(p(2))[..2],
        [Grant::Bool(true), Grant::TimedOut],
        "nor does the old timer reach it"
    );
}

fn timer_for_name(after: u64) -> Op {
    Op::StartTimer {
        after,
        target: Target::Name(A, NAMES[0]),
        reference: RefId(9),
    }
}

#[test]
fn what_is_under_way_from_or_to_a_node_is_lost_when_it_stops() {
    let scripts = [
        main_on(&[A, B], vec![wait(2), Op::StopNode(A), settle()]),
        vec![wait(1), send(2)],
        vec![settle()],
    ];
    assert_eq!(
        results(&slow(), &scripts, |player| (player.received(p(2)), lost(player))),
        [(0, 1), (1, 0)].into()
    );
}

#[test]
fn the_control_node_does_not_stop() {
    let player = run(vec![vec![Op::StopNode(NodeId(0)), Op::Yield]]);
    assert_eq!(player.answers(MAIN)[0], Grant::Refused(Refusal::NodeDown));
}

#[test]
fn watching_a_node_is_counted() {
    let off = |lost| Op::MonitorNode {
        node: A,
        lost,
        on: false,
    };
    let rest = vec![
        watch(A, true),
        watch(A, true),
        watch(A, false),
        off(true),
        off(true),
        off(true),
        watch(A, true),
        Op::StopNode(A),
    ];
    let player = run(vec![main_on(&[], [rest, vec![watch(A, true), settle()]].concat())]);
    // One for each that was left, and one at once for watching a node that is down.
    assert_eq!(player.items(MAIN), [Item::NodeDown(A); 3]);
}

#[test]
fn who_watches_nodes_and_dies_is_forgotten() {
    let player = run(vec![
        main_on(&[A], vec![spawn(B), settle()]),
        vec![watch(B, true), watch(B, false)],
    ]);
    assert_eq!(player.simulation.load().watchers, 0);
}

#[test]
fn only_up_and_connected_nodes_are_visible() {
    let main = |rest| run(vec![main_on(&[], rest)]).simulation;
    let all = main(vec![]);
    assert_eq!((all.visible(A), all.visible(NodeId(0))), (vec![B, C], vec![A, B, C]));
    let stopped = main(vec![Op::StopNode(C)]);
    assert_eq!((stopped.visible(A), stopped.nodes()[3]), (vec![B], (C, false)));
    let mut tick = vec![Op::SetTickTime(10), cut(A, B, PartitionMode::Drop)];
    assert_eq!(main(tick.clone()).visible(A), [C], "noticed when the clock goes on");
    tick.push(exit(ExitClass::Normal));
    let quick = Config {
        quiescence: false,
        ..config()
    };
    assert_eq!(
        fifo(quick, vec![main_on(&[], tick)]).simulation.visible(A),
        [B, C],
        "and not before"
    );
}
