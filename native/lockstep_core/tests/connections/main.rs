//! Connections between nodes: how they come about and are lost, who hears of it and when.
//!
//! The names of the rules are those of the tests in `test/distribution`.

mod flow;
mod loss;
mod set_up;
mod silence;
#[path = "../support/mod.rs"]
mod support;
mod ticks;

use std::collections::BTreeSet;

use lockstep_core::{
    Config, DownReason, Item, Kind, Micros, NodeEvent, NodeId, Op, PartitionMode, RefId, Scope, Subscription,
    SystemReason,
};
use support::{A, B, NODES, Player, cut, fifo, p, random, spawn};

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
