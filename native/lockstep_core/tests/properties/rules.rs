//! What must hold in a run, as its trace and its end show.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::Player;
use lockstep_core::{CONTROL, Config, Kind, Load, NodeId, Outcome, PartitionMode, ProcessId, Target};

fn cut_pairs(groups: &[Vec<NodeId>]) -> Vec<(NodeId, NodeId)> {
    let mut pairs = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        for other in groups[index + 1..].iter().flatten() {
            pairs.extend(group.iter().map(|&node| (node.min(*other), node.max(*other))));
        }
    }
    pairs
}

/// Goes through a recorded run: nothing crosses a cut, and a heal delivers at once, in the order it was sent, all that
/// was deferred. Whether cuts are left at the end.
pub(crate) fn check_network(player: &Player, ordered: bool) -> bool {
    let simulation = &player.simulation;
    let mut announced = player.partitions.clone();
    let mut cuts: BTreeMap<(NodeId, NodeId), PartitionMode> = BTreeMap::new();
    let mut deferred = BTreeSet::new();
    let mut flushed: Option<(u64, BTreeSet<u64>)> = None;
    let mut latest = BTreeMap::new();
    let home = |process: u64| simulation.node_of(ProcessId(process as u32));
    for event in simulation.trace_events() {
        let arrived = matches!(
            event.kind,
            Kind::Deliver
                | Kind::Lost
                | Kind::Down
                | Kind::ExitSignal
                | Kind::Spawned
                | Kind::Linked
                | Kind::Unlinked
                | Kind::Led
                | Kind::Watched
        );
        if arrived {
            deferred.remove(&event.object);
        }
        // Others may go with them, so that nothing overtakes anything.
        if let Some((last, expected)) = &mut flushed {
            assert!(arrived, "heal delivers {expected:?} before anything else happens");
            if expected.remove(&event.object) {
                assert!(event.object > *last, "heal keeps the order of sending");
                *last = event.object;
            }
        }
        flushed = flushed.filter(|(_, expected)| !expected.is_empty());
        match event.kind {
            Kind::Deliver => {
                let (from, to) = (home(event.detail).unwrap(), event.node.unwrap());
                assert!(
                    !cuts.contains_key(&(from.min(to), from.max(to))),
                    "{event:?} crosses a cut"
                );
                if ordered && from != to && from != CONTROL && to != CONTROL {
                    let before = latest.insert((from, to), event.object);
                    assert!(before < Some(event.object), "{event:?} has overtaken another");
                }
            }
            Kind::Send => {
                if let (Some(from), Some(to)) = (event.node, home(event.detail)) {
                    if cuts.get(&(from.min(to), from.max(to))) == Some(&PartitionMode::Defer) {
                        deferred.insert(event.object);
                    }
                }
            }
            Kind::Partition => {
                let (groups, mode) = announced.get_mut(&event.process.unwrap()).unwrap().remove(0);
                cuts.extend(cut_pairs(&groups).into_iter().map(|pair| (pair, mode)));
            }
            Kind::Heal => {
                flushed = Some((0, std::mem::take(&mut deferred))).filter(|(_, expected)| !expected.is_empty());
                cuts.clear();
            }
            _ => {}
        }
    }
    assert!(flushed.is_none(), "heal delivers all");
    !cuts.is_empty()
}

/// When a run has come to rest, whoever waits has been told of all that it watched.
pub(crate) fn check_rest(player: &Player, config: &Config, cuts_left: bool) {
    let simulation = &player.simulation;
    let outcome = player.outcome();
    let at_rest =
        matches!(outcome, Outcome::Done | Outcome::Deadlock | Outcome::Blocked) && simulation.running().is_none();
    if !at_rest || cuts_left {
        return;
    }
    for (reference, (watcher, target)) in &player.monitors {
        if let Target::Process(watched) = target {
            let owed = simulation.alive(*watcher) && !simulation.alive(*watched) && !player.removed.contains(reference);
            if owed && watcher != watched {
                // An alias that takes one reply takes its monitor back with it.
                let fired = player.fired.contains_key(reference);
                assert!(
                    fired || !simulation.watches(*watcher, *reference),
                    "{reference:?} never fired"
                );
            }
        }
    }
    if outcome == Outcome::Done && config.quiescence && simulation.waiting().is_empty() {
        assert_eq!(simulation.load(), Load::default(), "the dead leave nothing behind");
    }
}
