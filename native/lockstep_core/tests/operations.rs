//! Each operation, undisturbed unless a test says otherwise.

mod support;

use std::sync::{Arc, Mutex};

use lockstep_core::strategy::{Candidate, Candidates, Fifo, Object, Random, Strategy};
use lockstep_core::{
    AliasMode, Config, Death, ExitClass, Farewell, Grant, Item, Kind, MAIN, Micros, Misuse, Next, NodeId, Op, Outcome,
    ProcessId, RefId, Refusal, SystemReason, Target, Wait,
};
use support::{
    A, B, NAMES, Player, cut, exit, fifo, kill, main_on, monitor, p, poll, random, receive, send, simulation, spawn,
    timer, wait,
};

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
fn a_run_of_one_process() {
    let player = run(vec![vec![]]);
    assert_eq!((player.outcome(), player.simulation.steps()), (Outcome::Done, 2));
    assert_eq!(player.grants, [(MAIN, Grant::Done), (MAIN, Grant::Ended)]);
}

#[test]
fn a_message_is_there_as_soon_as_it_is_sent() {
    let player = run(vec![
        vec![spawn(HERE), send(1), send(1), receive()],
        vec![poll(), send(0)],
    ]);
    let Grant::Sent(to, first) = player.answers(MAIN)[1] else {
        panic!("{:?}", player.answers(MAIN))
    };
    assert_eq!(to, p(1));
    assert!(matches!(player.items(p(1))[..], [Item::Term(id), Item::Term(_)] if id == first));
    assert_eq!(player.senders(MAIN), [p(1)]);
}

#[test]
fn a_message_to_oneself_is_there_at_once_even_if_delivery_is_apart() {
    let config = Config {
        async_delivery: true,
        ..support::config()
    };
    for seed in 0..50 {
        let player = random(
            config.clone(),
            seed,
            vec![vec![spawn(HERE), send(0), poll()], vec![Op::Yield]],
        );
        assert_eq!(player.received(MAIN), 1);
    }
    // Between two processes it need not be.
    let scripts = || vec![vec![spawn(HERE), Op::Yield, Op::Yield, poll()], vec![send(0)]];
    let mut polled = (0..200).map(|seed| random(config.clone(), seed, scripts()));
    let late = |player: Player| {
        player.received(MAIN) == 0
            && player
                .answers(p(1))
                .iter()
                .any(|grant| matches!(grant, Grant::Sent(..)))
    };
    assert!(polled.any(late));
}

#[test]
fn messages_to_nobody_are_lost() {
    let player = run(vec![vec![
        spawn(HERE),
        pause(),
        send(1),
        Op::Send(Target::Alias(R)),
        Op::Send(named(HERE)),
        Op::Send(Target::Name(NodeId(0), NAMES[1])),
    ]]);
    let refused = Grant::Refused(Refusal::BadName);
    assert_eq!(
        player.answers(MAIN)[2..6],
        [Grant::Done, Grant::Done, refused.clone(), refused]
    );
}

#[test]
fn a_remote_name_is_looked_up_on_arrival() {
    let late = vec![pause(), Op::Register(NAMES[0], p(1)), receive()];
    let player = run(vec![
        main_on(&[A, B], vec![]),
        late,
        vec![pause(), pause(), Op::Send(named(A)), pause()],
    ]);
    assert!(matches!(player.items(p(1))[..], [Item::Parked(_)]));
    assert_eq!(player.senders(p(1)), [p(2)]);
}

#[test]
fn links_are_told_before_monitors() {
    let start = Op::Spawn {
        node: HERE,
        link: true,
        monitor: Some(R),
        alias: None,
        request: None,
    };
    let player = run(vec![
        vec![trap(), start, receive(), receive()],
        vec![exit(ExitClass::Crash)],
    ]);
    let monitors: Vec<_> = player.farewells[&p(1)]
        .ties
        .iter()
        .map(|notice| notice.monitor)
        .collect();
    assert_eq!(monitors, [None, Some(R)]);
    assert_eq!((player.received(MAIN), player.fired[&R]), (2, 1));
}

/// Undisturbed, and remembers what it could choose between.
#[derive(Debug, Default)]
struct Watch(Arc<Mutex<Vec<Candidate>>>);

impl Strategy for Watch {
    fn schedule(&mut self, candidates: &Candidates<'_>, _choices: usize) -> usize {
        let mut seen = self.0.lock().unwrap();
        seen.extend((0..candidates.len()).map(|index| candidates.get(index)));
        0
    }

    fn stall(&mut self, _max: Micros, _upcoming: &[Micros]) -> Micros {
        1
    }

    fn fault(&mut self, _count: u64) -> u64 {
        0
    }

    fn latency(&mut self, _max: Micros) -> Micros {
        0
    }
}

#[test]
fn the_end_of_an_owner_conflicts_with_all_else() {
    let concerns = |owner: bool, scripts: Vec<Vec<Op>>| {
        let watch = Watch::default();
        let seen = watch.0.clone();
        let mut player = Player::new(simulation(support::config(), Box::new(watch)));
        let mut scripts = scripts;
        if owner {
            player.owners.insert(p(1));
        }
        player.run(&mut scripts);
        let seen = seen.lock().unwrap();
        seen.iter()
            .any(|candidate| candidate.object == Object::World && candidate.write)
    };
    // Somebody else can always go on: where there is one way only, nobody is asked.
    let busy = || vec![Op::Yield; 20];
    let begin = |start: Op| [vec![start, spawn(HERE)], vec![Op::Yield; 5]].concat();
    let ends = vec![begin(spawn(HERE)), vec![exit(ExitClass::Normal)], busy()];
    let signalled = vec![[begin(spawn(HERE)), vec![kill(1)]].concat(), vec![receive()], busy()];
    let linked = vec![
        [begin(linked()), vec![exit(ExitClass::Crash)]].concat(),
        vec![receive()],
        busy(),
    ];
    for scripts in [ends, signalled, linked] {
        assert!(concerns(true, scripts.clone()));
        assert!(!concerns(false, scripts));
    }
}

#[test]
fn heirs_are_told_before_links_and_monitors() {
    let start = Op::Spawn {
        node: HERE,
        link: true,
        monitor: Some(R),
        alias: None,
        request: None,
    };
    for end in [exit(ExitClass::Crash), kill(1)] {
        for seed in 0..50 {
            let scripts = vec![
                vec![trap(), start.clone(), spawn(HERE), pause(), pause(), pause(), pause()],
                vec![wait(100), end.clone()],
                vec![receive(), receive()],
            ];
            let config = Config {
                max_stall: 0,
                ..support::config()
            };
            let mut player = Player::new(simulation(config, Box::new(Random::new(seed))));
            player.heirs.insert(p(1), vec![MAIN, p(2), MAIN]);
            player.run(&mut { scripts });
            let to: Vec<_> = player.farewells[&p(1)].heirs.iter().map(|notice| notice.to).collect();
            assert_eq!(to, [MAIN, p(2), MAIN]);
            let ids = |notices: &[lockstep_core::Notice]| notices.iter().map(|notice| notice.id).collect::<Vec<_>>();
            let farewell = &player.farewells[&p(1)];
            let told: Vec<_> = ids(&farewell.heirs).into_iter().chain(ids(&farewell.ties)).collect();
            let mine = [told[0], told[2], told[3], told[4]].map(Item::Term);
            assert_eq!(player.items(MAIN)[..4], mine);
            assert_eq!(player.items(p(2))[0], Item::Term(told[1]));
        }
    }
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
fn a_crash_takes_linked_processes_along() {
    for (class, dies) in [
        (ExitClass::Crash, true),
        (ExitClass::Shutdown, true),
        (ExitClass::Normal, false),
    ] {
        let player = run(vec![
            vec![spawn(HERE), pause()],
            vec![linked(), receive()],
            vec![exit(class)],
        ]);
        let death = player.deaths.get(&p(1)).copied().flatten();
        assert_eq!(matches!(death, Some(Death::Signal(_))), dies, "{class:?}");
    }
}

#[test]
fn a_trapped_exit_is_a_message() {
    for class in [ExitClass::Crash, ExitClass::Shutdown, ExitClass::Normal] {
        let player = run(vec![vec![trap(), linked(), receive()], vec![exit(class)]]);
        assert_eq!(player.senders(MAIN), [p(1)]);
    }
}

#[test]
fn linking_the_dead() {
    let dead_here = |before| vec![vec![before, spawn(HERE), pause(), Op::Link(p(1)), poll()]];
    let player = run(dead_here(Op::TrapExit(false)));
    assert_eq!(player.answers(MAIN)[3], Grant::Refused(Refusal::Noproc));
    let player = run(dead_here(trap()));
    assert_eq!(player.answers(MAIN)[3], Grant::Bool(true));
    assert_eq!(player.items(MAIN), [Item::Exit(p(1), SystemReason::Noproc)]);
    // On another node nobody can know at once: the signal comes after the answer.
    let player = run(vec![main_on(&[A], vec![pause(), Op::Link(p(1)), receive()])]);
    assert_eq!(player.deaths[&MAIN], Some(Death::System(SystemReason::Noproc)));
}

#[test]
fn an_unlinked_process_dies_alone() {
    let player = run(vec![
        vec![linked(), Op::Unlink(p(1)), pause(), poll()],
        vec![exit(ExitClass::Crash)],
    ]);
    assert_eq!((player.received(MAIN), player.deaths[&MAIN]), (0, None));
}

#[test]
fn linking_oneself_or_twice_changes_nothing() {
    let player = run(vec![
        vec![trap(), Op::Link(MAIN), linked(), Op::Link(p(1)), pause(), poll()],
        vec![exit(ExitClass::Crash)],
    ]);
    assert_eq!(player.received(MAIN), 1);
}

#[test]
fn monitoring_the_dead_or_nobody() {
    let by_name = Op::Monitor {
        target: named(HERE),
        reference: RefId(8),
        alias: None,
    };
    let player = run(vec![vec![spawn(HERE), pause(), monitor(1, 7), by_name, poll()]]);
    let down = |reference| Item::Down(RefId(reference), SystemReason::Noproc);
    assert_eq!(player.items(MAIN), [down(7), down(8)]);
}

#[test]
fn a_monitor_stays_with_the_process_whatever_its_name() {
    let by_name = Op::Monitor {
        target: named(HERE),
        reference: R,
        alias: None,
    };
    let rename = [Op::Unregister(NAMES[0]), Op::Register(NAMES[0], p(2))];
    let script = [
        vec![spawn(HERE), spawn(HERE), Op::Register(NAMES[0], p(1)), by_name],
        rename.to_vec(),
        vec![kill(2), poll()],
    ];
    let player = run(vec![script.concat(), vec![receive()], vec![receive()]]);
    assert_eq!(player.received(MAIN), 0);
    let last = vec![kill(1), receive()];
    let player = run(vec![[script.concat(), last].concat(), vec![receive()], vec![receive()]]);
    assert_eq!(player.fired[&R], 1);
}

#[test]
fn a_monitor_taken_back_does_not_fire() {
    let script = vec![
        spawn(HERE),
        monitor(1, 7),
        Op::Demonitor(R),
        Op::Demonitor(R),
        pause(),
        poll(),
    ];
    let player = run(vec![script, vec![]]);
    assert_eq!(player.answers(MAIN)[2..4], [Grant::Bool(true), Grant::Bool(false)]);
    assert_eq!(player.received(MAIN), 0);
}

#[test]
fn the_order_of_what_an_end_brings_about_is_part_of_the_schedule() {
    let script = |ties: Vec<Op>| {
        let watched = [vec![spawn(HERE)], ties, vec![pause(), pause()]].concat();
        run(vec![watched, vec![]])
    };
    let kinds = |player: &support::Player| -> Vec<Kind> {
        let events = player.simulation.trace_events().iter();
        events
            .map(|event| event.kind)
            .filter(|kind| matches!(kind, Kind::Down | Kind::ExitSignal))
            .collect()
    };
    assert_eq!(
        kinds(&script(vec![monitor(1, 7), monitor(1, 8)])),
        [Kind::Down, Kind::Down]
    );
    assert_eq!(
        kinds(&script(vec![Op::TrapExit(true), Op::Link(p(1))])),
        [Kind::ExitSignal]
    );
    // What has been taken back does not arrive.
    assert_eq!(kinds(&script(vec![monitor(1, 7), Op::Demonitor(R)])), []);
}

#[test]
fn nobody_is_told_who_does_not_want_to_know() {
    let ended = |script: Vec<Op>| {
        let player = run(vec![
            [vec![spawn(HERE), monitor(1, 7), Op::Link(p(1))], script].concat(),
            vec![],
        ]);
        player.farewells.get(&p(1)).map(|farewell| farewell.ties.len())
    };
    assert_eq!(ended(vec![pause()]), Some(2));
    assert_eq!(ended(vec![Op::Demonitor(R), pause()]), Some(1));
    assert_eq!(ended(vec![Op::Demonitor(R), Op::Unlink(p(1)), pause()]), Some(0));
    assert_eq!(ended(vec![]), Some(0), "one that is gone is not told either");
}

#[test]
fn monitoring_oneself_tells_nobody() {
    let player = run(vec![vec![monitor(0, 7), poll(), Op::Demonitor(R)]]);
    assert_eq!(player.answers(MAIN)[1..3], [Grant::TimedOut, Grant::Bool(false)]);
}

/// For each kind of alias: how many of two messages come through, and whether one does after `demonitor`.
#[test]
fn aliases_end_as_their_kind_says() {
    let kinds = [
        (AliasMode::Explicit, 2, true),
        (AliasMode::Demonitor, 2, false),
        (AliasMode::ReplyDemonitor, 1, false),
        // Its alias has nothing to do with a monitor.
        (AliasMode::Reply, 1, true),
    ];
    for (mode, through, survives) in kinds {
        let to_alias = || Op::Send(Target::Alias(R));
        let watch = Op::Monitor {
            target: Target::Process(p(1)),
            reference: R,
            alias: Some(mode),
        };
        let player = run(vec![
            vec![spawn(HERE), watch.clone(), pause(), pause()],
            vec![to_alias(), to_alias(), receive()],
        ]);
        assert_eq!(player.received(MAIN), through, "{mode:?}");
        let script = vec![spawn(HERE), watch, Op::Demonitor(R), pause(), pause()];
        let player = run(vec![script, vec![to_alias(), receive()]]);
        assert_eq!(player.received(MAIN), usize::from(survives), "{mode:?}");
    }
}

#[test]
fn a_reply_through_an_alias_takes_its_monitor_back() {
    let watch = |mode| Op::Monitor {
        target: Target::Process(p(1)),
        reference: R,
        alias: Some(mode),
    };
    let script = |mode| {
        vec![
            vec![spawn(HERE), watch(mode), pause(), pause()],
            vec![Op::Send(Target::Alias(R))],
        ]
    };
    assert!(!run(script(AliasMode::ReplyDemonitor)).fired.contains_key(&R));
    assert!(run(script(AliasMode::Demonitor)).fired.contains_key(&R));
}

#[test]
fn an_alias_is_its_makers_to_take_back() {
    let script = vec![
        spawn(HERE),
        Op::Alias(R, AliasMode::Explicit),
        pause(),
        Op::Unalias(R),
        Op::Unalias(R),
    ];
    let player = run(vec![script, vec![Op::Unalias(R)]]);
    assert_eq!(player.answers(MAIN)[3..5], [Grant::Bool(true), Grant::Bool(false)]);
    assert_eq!(player.answers(p(1))[0], Grant::Bool(false));
}

#[test]
fn exit_signals() {
    let to = |class| {
        vec![
            vec![spawn(HERE), Op::Yield, Op::Signal(p(1), class), pause()],
            vec![receive()],
        ]
    };
    let death = |class| run(to(class)).deaths.get(&p(1)).copied().flatten();
    assert_eq!(death(ExitClass::Normal), None);
    assert!(matches!(death(ExitClass::Shutdown), Some(Death::Signal(_))));
    assert!(matches!(death(ExitClass::Crash), Some(Death::Signal(_))));
    assert_eq!(death(ExitClass::Kill), Some(Death::System(SystemReason::Killed)));
    // To one that traps, all but `kill` are messages.
    for class in [
        ExitClass::Normal,
        ExitClass::Shutdown,
        ExitClass::Crash,
        ExitClass::Kill,
    ] {
        let player = run(vec![
            vec![spawn(HERE), Op::Yield, Op::Signal(p(1), class), pause()],
            vec![trap(), receive()],
        ]);
        assert_eq!(
            player.received(p(1)),
            usize::from(class != ExitClass::Kill),
            "{class:?}"
        );
    }
}

#[test]
fn a_signal_to_oneself_takes_effect_before_the_next_step() {
    for class in [ExitClass::Normal, ExitClass::Crash, ExitClass::Kill] {
        let player = run(vec![vec![spawn(HERE), pause()], vec![Op::Signal(p(1), class), send(0)]]);
        assert!(player.deaths[&p(1)].is_some(), "{class:?}");
        assert_eq!(player.received(MAIN), 0);
    }
}

#[test]
fn those_linked_learn_with_what_kind_of_reason_a_killed_process_died() {
    // exit(self(), normal): its reason is normal, and so nobody dies with it.
    let suicide = |class| {
        let parent = vec![linked(), wait(5000)];
        run(vec![vec![spawn(HERE), pause()], parent, vec![Op::Signal(p(2), class)]]).deaths[&p(1)]
    };
    assert_eq!(suicide(ExitClass::Normal), None);
    assert!(suicide(ExitClass::Crash).is_some());
}

#[test]
fn an_orderly_shutdown_is_no_crash() {
    let config = Config {
        fail_on_crash: true,
        ..support::config()
    };
    let outcome = |class| {
        let scripts = vec![
            vec![spawn(HERE), Op::Yield, Op::Signal(p(1), class), pause()],
            vec![receive()],
        ];
        fifo(config.clone(), scripts).outcome()
    };
    assert_eq!(outcome(ExitClass::Shutdown), Outcome::Done);
    assert_eq!(outcome(ExitClass::Crash), Outcome::Crashed(p(1)));
    assert_eq!(outcome(ExitClass::Kill), Outcome::Crashed(p(1)));
}

#[test]
fn trap_exit_answers_what_it_was() {
    let player = run(vec![vec![trap(), Op::TrapExit(false), trap()]]);
    assert_eq!(
        player.answers(MAIN)[..3],
        [Grant::Bool(false), Grant::Bool(true), Grant::Bool(false)]
    );
}

#[test]
fn names() {
    let [first, second] = NAMES;
    let player = run(vec![
        vec![
            spawn(HERE),
            Op::Whereis(first),
            Op::Register(first, p(1)),
            Op::Whereis(first),
            Op::Register(first, MAIN),
            Op::Register(second, p(1)),
            Op::Unregister(second),
            Op::Unregister(first),
            Op::Register(first, MAIN),
            Op::Send(named(HERE)),
            poll(),
        ],
        vec![receive()],
    ]);
    let refused = Grant::Refused(Refusal::BadName);
    let yes = Grant::Bool(true);
    let expected = [
        Grant::Process(None),
        yes.clone(),
        Grant::Process(Some(p(1))),
        refused.clone(),
        refused.clone(),
        refused,
        yes.clone(),
        yes,
    ];
    assert_eq!(player.answers(MAIN)[1..9], expected);
    assert_eq!(player.senders(MAIN), [MAIN]);
}

#[test]
fn a_name_ends_with_its_process_and_counts_on_its_own_node() {
    let script = main_on(&[A, B], vec![pause(), Op::Whereis(NAMES[0])]);
    let on_a = vec![Op::Register(NAMES[0], p(1)), Op::Register(NAMES[1], p(2)), wait(5000)];
    let player = run(vec![
        script,
        on_a,
        vec![Op::Whereis(NAMES[0]), Op::Register(NAMES[0], p(2))],
    ]);
    assert_eq!(*player.answers(MAIN).get(6).unwrap(), Grant::Process(None));
    assert_eq!(player.answers(p(1))[1], Grant::Refused(Refusal::BadName));
    assert_eq!(player.answers(p(2))[..2], [Grant::Process(None), Grant::Bool(true)]);
    assert_eq!(player.simulation.load().names, 0);
}

#[test]
fn timers_are_read_and_cancelled() {
    let player = run(vec![vec![
        timer(5000, 0, 7),
        Op::ReadTimer(R),
        wait(2000),
        Op::CancelTimer(R),
        Op::CancelTimer(R),
        Op::ReadTimer(R),
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

#[test]
fn what_others_share_and_yields_are_steps_of_their_own() {
    let object = lockstep_core::strategy::Object::Shared(5);
    let player = run(vec![vec![Op::Access { object, write: true }, Op::Yield]]);
    assert_eq!(player.answers(MAIN)[..2], [Grant::Done, Grant::Done]);
    assert_eq!(player.simulation.trace_events()[1].object, 5);
}

#[test]
fn a_process_killed_before_its_turn_does_not_do_what_it_announced() {
    let scripts = || vec![vec![spawn(HERE), Op::Yield, kill(1), pause()], vec![send(0), receive()]];
    let mut seen = [false; 2];
    for seed in 0..200 {
        let player = random(support::config(), seed, scripts());
        let sent = player
            .answers(p(1))
            .iter()
            .any(|grant| matches!(grant, Grant::Sent(..)));
        assert_eq!(player.received(MAIN), usize::from(sent));
        seen[usize::from(sent)] = true;
    }
    assert_eq!(
        seen,
        [true, true],
        "the kill comes sometimes before and sometimes after"
    );
}

#[test]
fn newborn_waiting_and_stalled_processes_are_killed_alike() {
    // The newborn has not taken its first step: its first answer is its death.
    let player = run(vec![vec![spawn(HERE), kill(1)], vec![send(0)]]);
    let first = player.grants.iter().find(|(me, _)| *me == p(1));
    assert_eq!(first, Some(&(p(1), Grant::Die(Death::System(SystemReason::Killed)))));
    for waiting in [receive(), wait(1_000_000)] {
        let player = run(vec![vec![spawn(HERE), Op::Yield, kill(1)], vec![waiting]]);
        assert_eq!(player.simulation.now(), 0, "nobody waits for the deadline of the dead");
    }
    let stalled = (0..1000).filter(|&seed| {
        let player = random(
            support::config(),
            seed,
            vec![vec![spawn(HERE), Op::Yield, Op::Yield, kill(1)], vec![Op::Yield]],
        );
        let events = player
            .simulation
            .trace_events()
            .iter()
            .filter(|event| event.process == Some(p(1)));
        let kinds: Vec<_> = events.map(|event| (event.kind, event.time)).collect();
        kinds.ends_with(&[(Kind::Stall, 0), (Kind::Killed, 0)])
    });
    assert!(stalled.count() > 0);
}

#[test]
fn a_process_killed_while_its_last_signals_are_under_way_fires_monitors_once() {
    for seed in 0..300 {
        let main = main_on(&[A, B], vec![kill(1), wait(100_000)]);
        let on_b = vec![
            monitor(1, 7),
            trap(),
            Op::Link(p(1)),
            Op::Yield,
            wait(50_000),
            wait(50_000),
            wait(50_000),
        ];
        let player = random(support::config(), seed, vec![main, vec![Op::Yield, receive()], on_b]);
        assert_eq!(player.fired[&R], 1, "seed {seed}");
    }
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let mut simulation = simulation(support::config(), Box::new(Fifo));
    assert_eq!(simulation.announce(MAIN, Op::Yield), Err(Misuse::NotYourTurn));
    assert_eq!(simulation.begin(), Ok(Next::Go(MAIN, Grant::Done)));
    let before = simulation.hash();
    let nobody = ProcessId(9);
    let nowhere = NodeId(9);
    assert_eq!(simulation.begin(), Err(Misuse::NotYourTurn));
    assert_eq!(simulation.announce(nobody, Op::Yield), Err(Misuse::UnknownProcess));
    assert_eq!(simulation.finish(MAIN, &[]), Err(Misuse::NotYourTurn));
    assert_eq!(simulation.fetch(nobody), Err(Misuse::UnknownProcess));
    assert_eq!(simulation.reaped(nobody), Err(Misuse::UnknownProcess));
    for op in [
        Op::Link(nobody),
        send(9),
        kill(9),
        monitor(9, 1),
        timer(1, 9, 1),
        Op::Register(NAMES[0], nobody),
    ] {
        assert_eq!(simulation.announce(MAIN, op), Err(Misuse::UnknownProcess));
    }
    let monitor_node = Op::MonitorNode {
        node: nowhere,
        lost: true,
        on: true,
    };
    let modes = lockstep_core::PartitionMode::Drop;
    for op in [
        spawn(nowhere),
        Op::StopNode(nowhere),
        Op::Send(named(nowhere)),
        cut(A, nowhere, modes),
        monitor_node,
    ] {
        assert!(matches!(simulation.announce(MAIN, op), Err(Misuse::BadArgument(_))));
    }
    assert_eq!(simulation.hash(), before);
    assert!(matches!(
        simulation.announce(MAIN, exit(ExitClass::Normal)),
        Ok(Next::Go(MAIN, Grant::Ended))
    ));
    assert!(matches!(simulation.finish(MAIN, &[MAIN]), Err(Misuse::BadArgument(_))));
    assert_eq!(simulation.finish(MAIN, &[]), Ok(Farewell::default()));
    assert_eq!(simulation.fetch(MAIN), Err(Misuse::NotYourTurn));
    assert_eq!(simulation.reaped(MAIN), Ok(Next::Over));
    assert_eq!(simulation.announce(MAIN, Op::Yield), Err(Misuse::Ended));
    assert_eq!(simulation.begin(), Err(Misuse::Ended));
    assert_eq!(simulation.reaped(MAIN), Ok(Next::Over));
}

#[test]
fn a_process_that_dies_out_of_turn_ends_the_run() {
    let mut simulation = simulation(support::config(), Box::new(Fifo));
    simulation.begin().unwrap();
    simulation.announce(MAIN, spawn(HERE)).unwrap();
    assert_eq!(simulation.reaped(p(1)), Ok(Next::Over));
    assert_eq!(simulation.outcome(), Some(Outcome::Lost(p(1))));
}

#[test]
fn what_is_fetched_is_not_received_again() {
    let mut simulation = simulation(support::config(), Box::new(Fifo));
    simulation.begin().unwrap();
    simulation.announce(MAIN, send(0)).unwrap();
    assert_eq!(simulation.fetch(MAIN).unwrap().len(), 1);
    assert_eq!(simulation.fetch(MAIN), Ok(vec![]));
    assert_eq!(
        simulation.announce(MAIN, Op::Receive(Wait::Poll)),
        Ok(Next::Go(MAIN, Grant::TimedOut))
    );
}

#[test]
fn how_runs_end() {
    let config = support::config;
    assert_eq!(run(vec![vec![receive()]]).outcome(), Outcome::Deadlock);
    let endless = || vec![vec![spawn(HERE)], vec![Op::Yield; 1000]];
    assert_eq!(
        fifo(
            Config {
                max_steps: 100,
                ..config()
            },
            endless()
        )
        .outcome(),
        Outcome::StepLimit
    );
    assert_eq!(
        fifo(
            Config {
                quiescence: false,
                ..config()
            },
            endless()
        )
        .outcome(),
        Outcome::Done
    );
    let late = vec![vec![wait(2000)]];
    assert_eq!(
        fifo(
            Config {
                max_virtual_time: 1999,
                ..config()
            },
            late.clone()
        )
        .outcome(),
        Outcome::TimeLimit
    );
    assert_eq!(
        fifo(
            Config {
                max_virtual_time: 2000,
                ..config()
            },
            late
        )
        .outcome(),
        Outcome::Done
    );
    let blocked = vec![vec![spawn(HERE)], vec![receive()]];
    assert_eq!(
        fifo(
            Config {
                fail_on_blocked: true,
                ..config()
            },
            blocked.clone()
        )
        .outcome(),
        Outcome::Blocked
    );
    assert_eq!(fifo(config(), blocked).outcome(), Outcome::Done);
}

#[test]
fn a_replay_that_does_not_fit_says_so_even_at_the_last_step() {
    let scripts = || vec![vec![spawn(HERE), exit(ExitClass::Normal)], vec![]];
    let config = Config {
        quiescence: false,
        max_stall: 0,
        ..support::config()
    };
    assert_eq!(
        support::replay(config.clone(), &[0, 0], scripts()).outcome(),
        Outcome::Done
    );
    assert_eq!(support::replay(config, &[2], scripts()).outcome(), Outcome::Diverged(1));
}

#[test]
fn times_at_the_end_of_the_clock_do_not_overflow() {
    let ends = u64::MAX;
    let config = Config {
        max_virtual_time: ends,
        max_stall: ends,
        max_latency: ends,
        ..support::config()
    };
    for seed in 0..50 {
        let main = main_on(
            &[A, B],
            vec![
                send(1),
                send(2),
                timer(ends, 0, 7),
                wait(ends),
                wait(ends),
                Op::Yield,
                wait(5),
            ],
        );
        let talk = |to| vec![receive(), send(to), Op::Yield, wait(ends)];
        random(config.clone(), seed, vec![main, talk(2), talk(1)]);
    }
}

fn suspend(number: u32) -> Op {
    Op::Suspend {
        process: p(number),
        once: false,
    }
}

#[test]
fn a_suspended_process_takes_no_step_until_it_is_resumed_as_often() {
    let main = vec![
        spawn(HERE),
        suspend(1),
        suspend(1),
        wait(50_000),
        Op::Resume(p(1)),
        wait(50_000),
        Op::Resume(p(1)),
        receive(),
        receive(),
    ];
    // The second message is due while the process is suspended.
    let player = run(vec![main, vec![send(0), pause(), send(0)]]);
    let answers = player.answers(MAIN);
    assert_eq!(answers[1..4], [Grant::Bool(true), Grant::Bool(true), Grant::TimedOut]);
    assert_eq!(answers[4..7], [Grant::Bool(true), Grant::TimedOut, Grant::Bool(true)]);
    assert_eq!(player.received(MAIN), 2);
}

#[test]
fn suspensions_end_with_who_has_made_them() {
    let main = vec![spawn(HERE), spawn(HERE), wait(50_000)];
    let player = run(vec![main, vec![pause(), send(0)], vec![suspend(1), wait(10_000)]]);
    assert_eq!(player.received(MAIN), 1);
    let forever = vec![spawn(HERE), spawn(HERE), wait(50_000), kill(2), receive()];
    let player = run(vec![forever, vec![pause(), send(0)], vec![suspend(1), receive()]]);
    assert_eq!(player.answers(MAIN)[2], Grant::TimedOut);
    assert_eq!(player.received(MAIN), 1);
}

#[test]
fn what_is_suspended_can_be_killed() {
    for victim in [vec![], vec![pause(), send(0)], vec![receive()]] {
        let main = vec![
            spawn(HERE),
            suspend(1),
            monitor(1, 7),
            kill(1),
            receive(),
            Op::Resume(p(1)),
        ];
        let player = run(vec![main, victim]);
        assert_eq!(player.received(MAIN), 1);
        assert_eq!(player.answers(MAIN).last(), Some(&Grant::Ended));
        assert!(player.answers(MAIN).contains(&Grant::Refused(Refusal::Noproc)));
    }
}

#[test]
fn only_others_of_the_same_node_can_be_suspended_and_once_counts_once() {
    let once = Op::Suspend {
        process: p(1),
        once: true,
    };
    let main = vec![
        spawn(HERE),
        suspend(0),
        once.clone(),
        once,
        Op::Resume(p(1)),
        Op::Resume(p(1)),
    ];
    let answers = run(vec![main, vec![]]).answers(MAIN);
    let refused = Grant::Refused(Refusal::Noproc);
    let expected = [
        refused.clone(),
        Grant::Bool(true),
        Grant::Bool(false),
        Grant::Bool(true),
        refused.clone(),
    ];
    assert_eq!(answers[1..6], expected);
    let away = run(vec![main_on(&[A], vec![suspend(1)]), vec![receive()]]);
    assert!(away.answers(MAIN).contains(&refused));
}
