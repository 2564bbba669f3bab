//! What strategies see of the events that can happen, and that none of them starves anybody.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use lockstep_core::strategy::{Actor, Candidates, Lineage, Object, Plan, Random, Strategy};
use lockstep_core::{CONTROL, Config, ExitClass, Grant, Micros, Op, Outcome, ProcessId, Simulation, Wait};
use support::{A, B, Program, main_on, p, play, receive, send, spawn, timer, wait};

/// Everything that was ever a candidate: who acts, who that is in every schedule, who has brought it into being, on what.
type Seen = BTreeMap<(Actor, Object, bool), (Lineage, Option<Lineage>)>;

/// The random walk, with somebody who writes down what it sees.
#[derive(Debug)]
struct Spy {
    random: Random,
    seen: Arc<Mutex<Seen>>,
}

impl Strategy for Spy {
    fn schedule(&mut self, candidates: &Candidates<'_>, choices: usize) -> usize {
        self.forced(candidates);
        self.random.schedule(candidates, choices)
    }

    fn forced(&mut self, candidates: &Candidates<'_>) {
        let mut seen = self.seen.lock().expect("nobody has panicked");
        let actors: BTreeSet<_> = (0..candidates.len()).map(|index| candidates.actor(index)).collect();
        assert_eq!(actors.len(), candidates.len(), "an actor has one event");
        for index in 0..candidates.len() {
            let event = candidates.get(index);
            let who = (candidates.lineage(index), candidates.parent(index));
            let before = seen.insert((candidates.actor(index), event.object, event.write), who);
            assert!(before.is_none_or(|before| before == who), "who one is does not change");
        }
    }

    fn stall(&mut self, max: Micros, upcoming: &[Micros]) -> Micros {
        self.random.stall(max, upcoming)
    }

    fn latency(&mut self, max: Micros) -> Micros {
        self.random.latency(max)
    }

    fn fault(&mut self, count: u64) -> u64 {
        self.random.fault(count)
    }
}

fn seen(config: Config, seed: u64, program: &mut dyn Program) -> Seen {
    let seen = Arc::default();
    let spy = Spy {
        random: Random::new(seed),
        seen: Arc::clone(&seen),
    };
    play(Config { seed, ..config }, Box::new(spy), program);
    let seen = seen.lock().expect("nobody has panicked");
    seen.clone()
}

fn actors(seen: &Seen) -> BTreeMap<Lineage, Option<Lineage>> {
    seen.values().copied().collect()
}

/// Every process starts two others, down to the grandchildren; their numbers depend on the schedule.
#[derive(Default)]
struct Tree {
    generation: BTreeMap<ProcessId, u32>,
    started: BTreeMap<ProcessId, u32>,
}

impl Program for Tree {
    fn next(&mut self, me: ProcessId, grant: &Grant, _simulation: &Simulation) -> Op {
        let generation = *self.generation.entry(me).or_default();
        if let Grant::Spawned(Some(child)) = grant {
            self.generation.insert(*child, generation + 1);
        }
        let started = self.started.entry(me).or_default();
        *started += 1;
        if generation < 2 && *started <= 2 {
            spawn(CONTROL)
        } else {
            Op::Exit(ExitClass::Normal)
        }
    }
}

#[test]
fn a_lineage_is_the_same_in_every_schedule() {
    let of_seed = |seed| seen(support::config(), seed, &mut Tree::default());
    let first = of_seed(0);
    let lineages = actors(&first);
    assert_eq!(lineages.len(), 7, "each has its own");
    let children = |parent| lineages.values().filter(|&&of| of == parent).count();
    assert_eq!(children(None), 1);
    assert!(
        lineages
            .iter()
            .filter(|(lineage, _)| children(Some(**lineage)) == 2)
            .count()
            == 3
    );
    let mut numbers = BTreeSet::new();
    for seed in 1..40 {
        let seen = of_seed(seed);
        assert_eq!(actors(&seen), lineages);
        numbers.insert(
            seen.into_iter()
                .map(|((actor, ..), who)| (actor, who))
                .collect::<BTreeMap<_, _>>(),
        );
    }
    assert!(numbers.len() > 1, "the numbers differ");
}

/// Timers and messages under way are actors, too: their parents are those who started or sent them.
#[test]
fn timers_and_channels_have_lineages() {
    let reference = (1 << 32) + 7;
    let main = || main_on(&[A, B], vec![send(1), timer(10, 0, reference), wait(20)]);
    let scripts = || vec![main(), vec![receive(), send(2)], vec![wait(50_000)]];
    let lineages = |seed| {
        let all = seen(support::config(), seed, &mut scripts());
        let of = |which: fn(&Actor) -> bool| {
            let mut found = all.iter().filter(|((actor, ..), _)| which(actor)).map(|(_, &who)| who);
            found.next().expect("it has happened")
        };
        let process = |number| {
            let mut found = all
                .iter()
                .filter(|((actor, ..), _)| *actor == Actor::Process(p(number)));
            found.next().expect("it has happened").1.0
        };
        let (timer, of_timer) = of(|actor| matches!(actor, Actor::Timer(_)));
        let (channel, of_channel) = of(|actor| matches!(actor, Actor::Channel(ProcessId(1), _)));
        assert_eq!((of_timer, of_channel), (Some(process(0)), Some(process(1))));
        [timer, channel]
    };
    assert_eq!(lineages(1), lineages(2));
}

/// Whoever waits no longer races with what arrives; whoever has a message does not.
#[test]
fn a_receive_that_is_over_is_an_event_of_its_process() {
    let config = || Config {
        max_stall: 0,
        ..support::config()
    };
    let over = seen(config(), 1, &mut vec![vec![wait(1_000)]]);
    assert!(over.contains_key(&(Actor::Process(p(0)), Object::Process(p(0)), true)));
    let polls = vec![
        Op::Receive(Wait::Poll),
        Op::Access {
            object: Object::World,
            write: true,
        },
    ];
    let polled = seen(config(), 1, &mut vec![polls]);
    assert!(polled.contains_key(&(Actor::Process(p(0)), Object::Process(p(0)), true)));
    let mut got = vec![
        vec![spawn(CONTROL), wait(1_000), Op::Receive(Wait::Forever)],
        vec![send(0)],
    ];
    let got = seen(config(), 1, &mut got);
    // Nobody ends here, so nothing else acts upon a process than the one who sends and ends.
    assert!(!got.contains_key(&(Actor::Process(p(0)), Object::Process(p(0)), true)));
    assert!(got.contains_key(&(Actor::Process(p(1)), Object::Process(p(0)), true)));
}

/// One waits by asking again and again, with steps that race with nothing, for another to do something.
struct Polling {
    done: bool,
}

impl Program for Polling {
    fn next(&mut self, me: ProcessId, grant: &Grant, simulation: &Simulation) -> Op {
        match (me.0, grant) {
            (0, Grant::Done) if simulation.process_count() == 1 => spawn(CONTROL),
            (0, _) if !self.done => Op::Yield,
            (1, _) if !self.done => {
                self.done = true;
                Op::Access {
                    object: Object::Shared(1),
                    write: true,
                }
            }
            _ => Op::Exit(ExitClass::Normal),
        }
    }
}

/// Neither by whoever polls, nor because whoever is polled for is held back while nobody else lets time pass.
#[test]
fn nobody_starves() {
    for plan in [Plan::Pos, Plan::Surw, Plan::Pct(1), Plan::Pct(3), Plan::Random] {
        for seed in 0..250 {
            let player = play(
                support::config(),
                plan.clone().strategy(seed, None),
                &mut Polling { done: false },
            );
            assert_eq!(player.outcome(), Outcome::Done, "{plan:?}, seed {seed}");
        }
    }
}
