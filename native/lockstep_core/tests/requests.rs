//! Processes that are asked for and not waited for.

mod support;

use lockstep_core::{Death, ExitClass, Grant, Item, Kind, MAIN, NodeId, Op, PartitionMode, RefId, Request};
use support::{A, B, Player, cut, exit, fifo, main_on, p, random, receive, wait};

const R: RefId = RefId(7);
const HERE: NodeId = NodeId(0);

fn request(node: NodeId, link: bool, monitor: bool, reply: bool) -> Op {
    Op::Spawn {
        node,
        link,
        monitor: monitor.then_some(R),
        alias: None,
        request: Some(Request {
            reference: R,
            success: reply,
            failure: true,
        }),
    }
}

fn kinds(player: &Player) -> Vec<Kind> {
    player
        .simulation
        .trace_events()
        .iter()
        .map(|event| event.kind)
        .collect()
}

#[test]
fn on_the_same_node_the_answer_is_there_at_once() {
    let main = vec![request(HERE, false, false, true), Op::Abandon(R), receive()];
    let player = fifo(support::config(), vec![main, vec![]]);
    let Grant::Requested(child, id) = player.answers(MAIN)[0] else {
        panic!("not started")
    };
    assert_eq!((child, player.answers(MAIN)[1].clone()), (p(1), Grant::Bool(false)));
    assert_eq!(player.items(MAIN), [Item::Term(id)]);
}

#[test]
fn the_answer_comes_before_every_other_signal_of_the_new_process() {
    for seed in 0..200 {
        let on_a = vec![
            Op::TrapExit(true),
            request(B, true, true, true),
            receive(),
            receive(),
            receive(),
        ];
        let scripts = vec![main_on(&[A, B], vec![]), on_a, vec![], vec![exit(ExitClass::Crash)]];
        let player = random(support::config(), seed, scripts);
        let Some(Grant::Requested(_, id)) = player.answers(p(1)).get(1).cloned() else {
            panic!("not started")
        };
        let items = player.items(p(1));
        assert_eq!((items.len(), items[0]), (3, Item::Term(id)));
    }
}

#[test]
fn one_who_wants_no_answer_gets_none() {
    let main = vec![request(HERE, false, true, false), wait(1000)];
    let player = fifo(support::config(), vec![main, vec![receive()]]);
    assert_eq!(player.answers(MAIN)[1], Grant::TimedOut);
}

#[test]
fn an_abandoned_request_has_no_answer_and_a_linked_process_is_told_to_go() {
    let mut seen = [false; 2];
    for seed in 0..300 {
        let on_a = vec![request(B, true, true, true), Op::Abandon(R), wait(50_000)];
        let scripts = vec![main_on(&[A, B], vec![]), on_a, vec![receive()], vec![receive()]];
        let player = random(support::config(), seed, scripts);
        let Grant::Requested(child, _) = player.answers(p(1))[0] else {
            panic!("not started")
        };
        let abandoned = matches!(player.answers(p(1))[1], Grant::Sent(..));
        seen[usize::from(abandoned)] = true;
        let died = matches!(player.deaths.get(&child), Some(Some(Death::Signal(_))));
        assert_eq!(died, abandoned, "seed {seed}");
        if abandoned {
            assert_eq!(player.received(p(1)), 0);
            assert!(!kinds(&player).contains(&Kind::Spawned));
        }
    }
    assert_eq!(seen, [true, true]);
}

#[test]
fn a_lost_connection_is_the_answer_and_nothing_else() {
    let mut config = support::config();
    config.max_latency = 0;
    let on_a = vec![wait(500), request(B, true, true, true), wait(100_000), wait(100_000)];
    let main = vec![Op::SetTickTime(1000), cut(A, B, PartitionMode::Drop), wait(3000)];
    let scripts = vec![main_on(&[A, B], main), on_a, vec![receive()], vec![receive()]];
    let player = fifo(config, scripts);
    let Grant::Requested(_, id) = player.answers(p(1))[1] else {
        panic!("not started")
    };
    assert_eq!(player.items(p(1)), [Item::NotSpawned(id)]);
    assert!(!player.deaths.contains_key(&p(1)) || player.deaths[&p(1)].is_none());
}
