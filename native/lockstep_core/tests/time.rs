//! Virtual time: deadlines, timers, and what may race with them.

mod support;

use std::collections::BTreeSet;

use lockstep_core::strategy::Fifo;
use lockstep_core::{
    AliasMode, Config, Grant, Item, Kind, Load, MAIN, MessageId, NodeId, Op, Outcome, ProcessId, RefId, Simulation,
    Target, Wait,
};
use support::{
    A, B, NAMES, Player, Program, fifo, main_on, monitor, p, play, poll, random, receive, send, spawn, timer, wait,
};

const HERE: NodeId = NodeId(0);

fn config(max_stall: u64) -> Config {
    Config {
        max_stall,
        max_latency: 0,
        ..support::config()
    }
}

fn run(scripts: Vec<Vec<Op>>) -> Player {
    fifo(config(0), scripts)
}

/// What one process's answers came to, in words, over many seeds.
fn results<T: Ord>(config: &Config, scripts: &[Vec<Op>], of: impl Fn(&Player) -> T) -> BTreeSet<T> {
    (0..400)
        .map(|seed| of(&random(config.clone(), seed, scripts.to_vec())))
        .collect()
}

fn parked(player: &Player) -> Vec<u64> {
    let items = player.items(MAIN).into_iter();
    items
        .filter_map(|item| {
            if let Item::Parked(MessageId(id)) = item {
                Some(id)
            } else {
                None
            }
        })
        .collect()
}

fn timed_out(player: &Player) -> bool {
    player.answers(MAIN).contains(&Grant::TimedOut)
}

#[test]
fn a_wait_ends_at_its_deadline() {
    let player = run(vec![vec![wait(5000)]]);
    assert_eq!((timed_out(&player), player.simulation.now()), (true, 5000));
}

#[test]
fn waiting_for_the_rest_does_not_begin_anew() {
    let player = run(vec![vec![timer(3000, 0, 1), wait(5000), Op::Receive(Wait::Rest)]]);
    assert_eq!(player.answers(MAIN)[2], Grant::TimedOut);
    assert_eq!(player.simulation.now(), 5000);
    // A wait of its own does.
    let player = run(vec![vec![timer(3000, 0, 1), wait(5000), wait(5000)]]);
    assert_eq!(player.simulation.now(), 8000);
}

#[test]
fn the_rest_of_a_wait_that_is_over_is_nothing() {
    let player = run(vec![vec![timer(5000, 0, 1), wait(5000), Op::Receive(Wait::Rest)]]);
    assert_eq!(player.simulation.now(), 5000);
    assert!(matches!(
        &player.answers(MAIN)[1..3],
        [Grant::Items(_), Grant::TimedOut]
    ));
}

#[test]
fn polling_takes_what_is_there_and_never_waits() {
    let player = run(vec![vec![poll(), wait(0), send(0), poll(), poll()]]);
    let answers = player.answers(MAIN);
    assert_eq!(
        (&answers[0], &answers[1], &answers[4]),
        (&Grant::TimedOut, &Grant::TimedOut, &Grant::TimedOut)
    );
    assert!(matches!(&answers[3], Grant::Items(items) if items.len() == 1));
    assert_eq!(player.simulation.now(), 0);
}

#[test]
fn polling_races_with_a_delivery() {
    let scripts = [vec![spawn(HERE), poll()], vec![send(0)]];
    assert_eq!(results(&config(0), &scripts, timed_out), [false, true].into());
}

#[test]
fn time_stands_still_while_anybody_can_run() {
    let mut script = vec![timer(1, 0, 1)];
    script.extend(vec![Op::Yield; 100]);
    script.extend([poll(), receive()]);
    let player = run(vec![script]);
    assert!(timed_out(&player), "the timer has not fired yet");
    assert_eq!(
        (player.received(MAIN), player.simulation.now()),
        (1, 1),
        "it fires afterwards"
    );
}

#[test]
fn a_timer_that_is_due_at_once_fires_while_others_run() {
    let scripts = [vec![spawn(HERE), timer(0, 0, 1), Op::Yield, poll()], vec![Op::Yield; 3]];
    assert_eq!(results(&config(0), &scripts, timed_out), [false, true].into());
}

#[test]
fn timers_due_at_the_same_instant_race() {
    let script = |later: u64| vec![timer(1000, 0, 1), timer(1000 + later, 0, 2), receive(), wait(5000)];
    let orders = results(&config(0), &[script(0)], parked);
    assert_eq!(orders, [vec![1, 2], vec![2, 1]].into());
    // Those that are not due at the same instant do not.
    assert_eq!(results(&config(0), &[script(1)], parked), [vec![1, 2]].into());
    // Undisturbed, they fire in the order they were set.
    assert_eq!(parked(&run(vec![script(0)])), [1, 2]);
}

#[test]
fn a_timeout_races_with_a_timer_due_at_the_same_instant() {
    let script = |time| vec![timer(1000, 0, 1), wait(time)];
    assert_eq!(results(&config(0), &[script(1000)], timed_out), [false, true].into());
    assert_eq!(results(&config(0), &[script(1001)], timed_out), [false].into());
    assert_eq!(results(&config(0), &[script(999)], timed_out), [true].into());
}

#[test]
fn a_timeout_races_with_a_delivery_due_at_the_same_instant() {
    let config = Config {
        max_latency: 1,
        ..config(0)
    };
    let scripts = [main_on(&[A, B], vec![]), vec![wait(10), send(2)], vec![wait(11)]];
    let seen = results(&config, &scripts, |player| {
        // Lost if the receiver has gone by then.
        let arrives = |kind| matches!(kind, Kind::Deliver | Kind::Lost);
        let delivered = player
            .simulation
            .trace_events()
            .iter()
            .find(|event| arrives(event.kind))
            .unwrap()
            .time;
        (delivered, player.answers(p(2)).contains(&Grant::TimedOut))
    });
    assert_eq!(seen, [(10, false), (11, false), (11, true)].into());
}

#[test]
fn a_reply_that_is_held_back_loses_against_a_timeout_within_the_stall() {
    let scripts = [vec![spawn(HERE), wait(50_000)], vec![send(0)]];
    assert_eq!(results(&config(100_000), &scripts, timed_out), [false, true].into());
    // Without stalls a timer never beats whoever can run.
    assert_eq!(results(&config(0), &scripts, timed_out), [false].into());
    // And 5 s do not pass by stalls of 100 ms in a run of a few steps.
    let scripts = [vec![spawn(HERE), wait(5_000_000)], vec![send(0)]];
    assert_eq!(results(&config(100_000), &scripts, timed_out), [false].into());
}

#[test]
fn no_stall_is_longer_than_allowed() {
    let scripts = [vec![spawn(HERE), wait(50_000)], vec![Op::Yield, Op::Yield, send(0)]];
    let mut stalls = 0;
    for seed in 0..1000 {
        let player = random(config(700), seed, scripts.to_vec());
        for event in player
            .simulation
            .trace_events()
            .iter()
            .filter(|event| event.kind == Kind::Stall)
        {
            assert!((1..=700).contains(&event.object));
            stalls += 1;
        }
    }
    assert!(stalls > 10, "{stalls}");
}

#[test]
fn a_timer_for_a_name_finds_whoever_has_it_then() {
    let script = vec![
        spawn(HERE),
        Op::StartTimer {
            after: 1000,
            target: Target::Name(HERE, NAMES[0]),
            reference: RefId(1),
        },
        Op::Register(NAMES[0], p(1)),
        receive(),
    ];
    let player = run(vec![script, vec![receive(), send(0)]]);
    assert!(matches!(player.items(p(1))[..], [Item::Parked(_)]));
}

#[test]
fn timers_end_with_the_process_they_are_for() {
    // Started before it ends, and afterwards.
    let player = run(vec![vec![
        spawn(HERE),
        timer(1000, 1, 1),
        wait(10),
        timer(1000, 1, 2),
        Op::ReadTimer(RefId(1)),
        receive(),
    ]]);
    assert_eq!(player.answers(MAIN)[4], Grant::Timer(None));
    assert_eq!((player.outcome(), player.simulation.now()), (Outcome::Deadlock, 10));
    // One that somebody else started lives on.
    let player = run(vec![vec![spawn(HERE), receive()], vec![timer(1000, 0, 1)]]);
    assert_eq!((player.received(MAIN), player.simulation.now()), (1, 1000));
}

/// Plays scripts and notes the most that the run ever held.
struct Peak {
    scripts: Vec<Vec<Op>>,
    load: Load,
}

impl Program for Peak {
    fn next(&mut self, me: ProcessId, grant: &Grant, simulation: &Simulation) -> Op {
        let (now, most) = (simulation.load(), self.load);
        self.load = Load {
            processes: most.processes.max(now.processes),
            ready: most.ready.max(now.ready),
            deadlines: most.deadlines.max(now.deadlines),
            channels: most.channels.max(now.channels),
            timers: most.timers.max(now.timers),
            aliases: most.aliases.max(now.aliases),
            names: most.names.max(now.names),
            ties: most.ties.max(now.ties),
            watchers: most.watchers.max(now.watchers),
        };
        self.scripts.next(me, grant, simulation)
    }
}

#[test]
fn the_cost_of_a_run_does_not_grow_with_what_is_over() {
    let peak = |calls: u64| {
        // Calls: an alias and a monitor, a timeout that never comes, a reply; and a process that watches a node, has a
        // name and a timer, and dies.
        let mut main = vec![spawn(HERE)];
        let mut server = Vec::new();
        let mut scripts = Vec::new();
        for call in 0..calls {
            let reference = RefId(call);
            let alias = Some(AliasMode::ReplyDemonitor);
            main.push(Op::Monitor {
                target: Target::Process(p(1)),
                reference,
                alias,
            });
            main.extend([send(1), wait(5_000_000), spawn(HERE), wait(10)]);
            server.extend([receive(), Op::Send(Target::Alias(reference))]);
            let me = p(2 + call as u32);
            let watch = Op::MonitorNode {
                node: NodeId(0),
                lost: true,
                on: true,
            };
            let late = timer(3_600_000_000, me.0, 1_000_000 + call);
            scripts.push(vec![
                monitor(0, 3_000_000 + call),
                Op::Link(p(1)),
                Op::TrapExit(true),
                Op::Register(NAMES[0], me),
                watch,
                Op::Alias(RefId(2_000_000 + call), AliasMode::Explicit),
                late,
            ]);
        }
        let scripts = [vec![main, server], scripts].concat();
        let mut program = Peak {
            scripts,
            load: Load::default(),
        };
        let player = play(
            Config {
                max_steps: u64::MAX,
                ..config(0)
            },
            Box::new(Fifo),
            &mut program,
        );
        assert_eq!(
            (player.outcome(), player.simulation.load()),
            (Outcome::Done, Load::default())
        );
        assert_eq!(player.simulation.now(), calls * 10);
        program.load
    };
    assert_eq!(peak(3), peak(300));
}

#[test]
fn timers_are_read_and_cancelled() {
    let player = run(vec![vec![
        timer(5000, 0, 7),
        Op::ReadTimer(RefId(7)),
        wait(2000),
        Op::CancelTimer(RefId(7)),
        Op::CancelTimer(RefId(7)),
        Op::ReadTimer(RefId(7)),
    ]]);
    let Grant::Parked(id) = player.answers(MAIN)[0] else {
        panic!()
    };
    let none = Grant::Timer(None);
    let expected = [
        Grant::Timer(Some((5000, id))),
        Grant::TimedOut,
        Grant::Timer(Some((3000, id))),
        none.clone(),
        none,
    ];
    assert_eq!(player.answers(MAIN)[1..6], expected);
}
