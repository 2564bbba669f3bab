//! Runs that follow a trail of deeds: who is to act how far.

mod support;

use lockstep_core::strategy::{Deed, Done, Guided};
use lockstep_core::{Config, Grant, MAIN, NodeId, Op, ProcessId};
use support::{Player, p, play, poll, receive, send, spawn, wait};

const HERE: NodeId = NodeId(0);
const ACT: u64 = 1 << 16;

fn config() -> Config {
    Config {
        max_stall: 1_000,
        max_latency: 0,
        ..support::config()
    }
}

/// Main starts two, each of which sends it a message, and takes both.
fn two_senders() -> Vec<Vec<Op>> {
    vec![
        vec![spawn(HERE), spawn(HERE), receive(), receive()],
        vec![Op::Yield, send(0)],
        vec![Op::Yield, send(0)],
    ]
}

fn guided(deeds: Vec<Deed>, scripts: Vec<Vec<Op>>) -> Player {
    play(config(), Box::new(Guided::by(deeds)), &mut { scripts })
}

/// The lineages of the processes, by number, as the undisturbed run shows them.
fn lineages(scripts: Vec<Vec<Op>>) -> Vec<u64> {
    let player = guided(vec![], scripts);
    let trail = player.simulation.trail().expect("it is kept");
    let events = player.simulation.trace_events();
    let mut all = vec![0; player.simulation.process_count() as usize];
    for &Done { deed, step, .. } in trail.deeds() {
        let event = events.iter().find(|event| event.step == step);
        if let (Deed::Act { who, .. }, Some(ProcessId(id))) = (deed, event.and_then(|event| event.process)) {
            all[id as usize] = who;
        }
    }
    all
}

#[test]
fn who_is_to_act_first_does() {
    let who = lineages(two_senders())[2];
    assert_eq!(guided(vec![], two_senders()).senders(MAIN), [p(1), p(2)]);
    let deeds = vec![Deed::Act { who, until: 4 * ACT }];
    assert_eq!(guided(deeds, two_senders()).senders(MAIN), [p(2), p(1)]);
}

#[test]
fn who_cannot_act_yet_is_waited_for() {
    // It is not there when main begins. Nobody else is to act, so main goes on undisturbed and starts it.
    let who = lineages(two_senders())[2];
    let deeds = vec![Deed::Act { who, until: 4 * ACT }];
    let player = guided(deeds, two_senders());
    assert_eq!(player.senders(MAIN), [p(2), p(1)]);
    assert_eq!(player.simulation.trail().map(|trail| trail.switches()), Some(0));
}

#[test]
fn who_cannot_act_is_passed_over_for_who_can() {
    let who = lineages(two_senders());
    let deeds = vec![
        Deed::Act { who: 4711, until: ACT },
        Deed::Act {
            who: who[2],
            until: 4 * ACT,
        },
    ];
    assert_eq!(guided(deeds, two_senders()).senders(MAIN), [p(2), p(1)]);
}

#[test]
fn a_switch_is_counted_where_one_that_could_go_on_is_left() {
    let who = lineages(two_senders());
    let switches = |deeds| {
        guided(deeds, two_senders())
            .simulation
            .trail()
            .map(|trail| trail.switches())
    };
    assert_eq!(switches(vec![]), Some(0));
    // Main has started one of the two, and is left before it starts the other.
    let deeds = vec![
        Deed::Act {
            who: who[0],
            until: 2 * ACT,
        },
        Deed::Act {
            who: who[1],
            until: 4 * ACT,
        },
    ];
    assert_eq!(switches(deeds), Some(1));
}

#[test]
fn a_stall_comes_where_it_is_to_and_is_as_long() {
    let who = lineages(two_senders())[1];
    let deeds = vec![Deed::Stall {
        who,
        at: ACT,
        length: 700,
    }];
    let player = guided(deeds.clone(), two_senders());
    assert_eq!(player.simulation.now(), 700);
    assert_eq!(player.senders(MAIN), [p(2), p(1)]);
    let trail = player.simulation.trail().expect("it is kept");
    let stalls = trail
        .deeds()
        .iter()
        .map(|done| done.deed)
        .filter(|deed| deeds.contains(deed));
    assert_eq!(stalls.count(), 1);
}

/// How far a process has got does not depend on whether it had to wait for a message.
#[test]
fn waiting_does_not_count() {
    let scripts = |first: Vec<Op>| {
        vec![
            [vec![spawn(HERE)], first, vec![send(1), Op::Yield, Op::Yield]].concat(),
            vec![receive(), poll(), send(0)],
        ]
    };
    let progress = |scripts: Vec<Vec<Op>>| {
        let player = guided(vec![], scripts);
        let trail = player.simulation.trail().expect("it is kept");
        let last = trail.deeds().iter().rev().find_map(|done| match done.deed {
            Deed::Act { who, until } if who == lineages_of_child(&player) => Some(until / ACT),
            _ => None,
        });
        (player.answers(p(1)).contains(&Grant::TimedOut), last)
    };
    let (had_it, waited) = (progress(scripts(vec![])), progress(scripts(vec![wait(1)])));
    assert_eq!(had_it, waited);
    assert_eq!(had_it.1, Some(3));
}

fn lineages_of_child(player: &Player) -> u64 {
    let trail = player.simulation.trail().expect("it is kept");
    let whos = trail.deeds().iter().filter_map(|done| match done.deed {
        Deed::Act { who, .. } => Some(who),
        _ => None,
    });
    let main = trail.deeds().first().map(|done| done.deed);
    whos.into_iter()
        .find(|&who| !matches!(main, Some(Deed::Act { who: first, .. }) if first == who))
        .expect("it acts")
}
