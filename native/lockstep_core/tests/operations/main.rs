//! Each operation, undisturbed unless a test says otherwise.

mod exits;
mod links;
mod messages;
mod monitors;
mod names;
mod runs;
#[path = "../support/mod.rs"]
mod support;

use lockstep_core::{Grant, MAIN, NodeId, Op, RefId, Target};
use support::{A, B, NAMES, Player, fifo, main_on, p, spawn, wait};

const R: RefId = RefId(7);
const HERE: NodeId = NodeId(0);

fn run(scripts: Vec<Vec<Op>>) -> Player {
    fifo(support::config(), scripts)
}

fn linked() -> Op {
    Op::Spawn {
        node: HERE,
        link: true,
        monitor: None,
        alias: None,
        request: None,
    }
}

fn trap() -> Op {
    Op::TrapExit(true)
}

fn named(node: NodeId) -> Target {
    Target::Name(node, NAMES[0])
}

/// Lets a process that has just been told something finish what it does with it.
fn pause() -> Op {
    wait(1000)
}

#[test]
fn a_node_that_is_down_starts_no_process() {
    let player = run(vec![main_on(&[], vec![Op::StopNode(A), spawn(A), spawn(B)])]);
    assert_eq!(
        player.answers(MAIN)[4..6],
        [Grant::Spawned(None), Grant::Spawned(Some(p(1)))]
    );
}

#[test]
fn what_others_share_and_yields_are_steps_of_their_own() {
    let object = lockstep_core::strategy::Object::Shared(5);
    let player = run(vec![vec![Op::Access { object, write: true }, Op::Yield]]);
    assert_eq!(player.answers(MAIN)[..2], [Grant::Done, Grant::Done]);
    assert_eq!(player.simulation.trace_events()[1].object, 5);
}
