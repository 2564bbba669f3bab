//! Random programs, and what must hold in every run of every one of them.

mod program;
mod rules;
#[path = "../support/mod.rs"]
mod support;

use lockstep_core::strategy::{Deed, Fifo, Guided, Random, Replay};
use lockstep_core::{Config, Grant, Op, ProcessId, Simulation};
use program::{Act, Interpreter, programs};
use proptest::prelude::*;
use rules::{check_network, check_rest};
use support::{Player, Program, config, play};

fn configs() -> impl Strategy<Value = Config> {
    let times = (
        prop::sample::select(vec![0, 1000, 100_000]),
        prop::sample::select(vec![0, 5, 10_000]),
    );
    (any::<u64>(), times, any::<[bool; 5]>()).prop_map(|(seed, (max_stall, max_latency), flags)| Config {
        seed,
        max_steps: 3000,
        max_stall,
        max_latency,
        async_delivery: flags[0],
        quiescence: flags[1],
        fail_on_crash: flags[2],
        fail_on_blocked: flags[3],
        node_order: flags[4],
        ..config()
    })
}

fn run(config: &Config, scripts: &[Vec<Act>]) -> Player {
    play(
        config.clone(),
        Box::new(Random::new(config.seed)),
        &mut Interpreter::new(scripts),
    )
}

fn deeds(player: &Player) -> Vec<Deed> {
    let trail = player.simulation.trail().expect("it is kept");
    trail.blocks().into_iter().map(|done| done.deed).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The checks of the driver itself, and those of the recorded network.
    #[test]
    fn every_run_keeps_the_rules(config in configs(), scripts in programs()) {
        let player = run(&config, &scripts);
        let cuts_left = check_network(&player, config.node_order);
        check_rest(&player, &config, cuts_left);
    }

    #[test]
    fn the_same_seed_gives_the_same_run(config in configs(), scripts in programs()) {
        let (one, two) = (run(&config, &scripts), run(&config, &scripts));
        prop_assert_eq!(one.simulation.hash(), two.simulation.hash());
        prop_assert_eq!(one.simulation.trace_events(), two.simulation.trace_events());
        prop_assert_eq!(one.simulation.choices(), two.simulation.choices());
        prop_assert_eq!(one.grants, two.grants);
    }

    #[test]
    fn recording_changes_nothing(config in configs(), scripts in programs()) {
        let recorded = run(&config, &scripts);
        let silent = run(&Config { record: false, ..config }, &scripts);
        prop_assert_eq!(recorded.simulation.hash(), silent.simulation.hash());
        prop_assert!(silent.simulation.choices().is_empty() && silent.simulation.trace_events().is_empty());
    }

    #[test]
    fn a_replay_is_the_same_run(config in configs(), scripts in programs()) {
        let player = run(&config, &scripts);
        let choices = player.simulation.choices().to_vec();
        let again = play(config, Box::new(Replay::new(choices)), &mut Interpreter::new(&scripts));
        prop_assert_eq!(player.simulation.hash(), again.simulation.hash());
        prop_assert_eq!(player.simulation.trace_events(), again.simulation.trace_events());
        prop_assert_eq!(player.simulation.choices(), again.simulation.choices());
        prop_assert_eq!(player.outcome(), again.outcome());
    }

    /// A log that no run has made is either refused or played; it never panics and always ends.
    #[test]
    fn any_choice_log_can_be_played(config in configs(), scripts in programs(), log in prop::collection::vec(0u64..40, 0..200)) {
        let player = play(config.clone(), Box::new(Replay::new(log)), &mut Interpreter::new(&scripts));
        let cuts_left = check_network(&player, config.node_order);
        check_rest(&player, &config, cuts_left);
    }

    /// What a run has done, as deeds in blocks, leads to the same run again.
    #[test]
    fn a_trail_leads_to_its_run(config in configs(), scripts in programs()) {
        let player = run(&config, &scripts);
        let along = Guided::along(player.simulation.choices().to_vec());
        let first = play(config.clone(), Box::new(along), &mut Interpreter::new(&scripts));
        prop_assert_eq!(player.simulation.hash(), first.simulation.hash());
        let again = play(config, Box::new(Guided::by(deeds(&first))), &mut Interpreter::new(&scripts));
        prop_assert_eq!(player.simulation.choices(), again.simulation.choices());
        prop_assert_eq!(player.simulation.trace_events(), again.simulation.trace_events());
        prop_assert_eq!(deeds(&first), deeds(&again));
    }

    /// Any part of a trail, in any order, is a run, and its choices replay it.
    #[test]
    fn any_part_of_a_trail_can_be_followed(
        config in configs(),
        scripts in programs(),
        keep in prop::collection::vec(any::<bool>(), 60),
        turn in any::<bool>(),
    ) {
        let player = run(&config, &scripts);
        let along = Guided::along(player.simulation.choices().to_vec());
        let all = deeds(&play(config.clone(), Box::new(along), &mut Interpreter::new(&scripts)));
        let mut some: Vec<_> = all.into_iter().zip(keep.into_iter().cycle()).filter_map(|(deed, keep)| keep.then_some(deed)).collect();
        if turn {
            some.reverse();
        }
        let guided = play(config.clone(), Box::new(Guided::by(some)), &mut Interpreter::new(&scripts));
        let cuts_left = check_network(&guided, config.node_order);
        check_rest(&guided, &config, cuts_left);
        let choices = guided.simulation.choices().to_vec();
        let again = play(config, Box::new(Replay::new(choices)), &mut Interpreter::new(&scripts));
        prop_assert_eq!(guided.simulation.trace_events(), again.simulation.trace_events());
    }

    /// With nothing to do, the run is the undisturbed one.
    #[test]
    fn an_empty_trail_leads_to_the_undisturbed_run(config in configs(), scripts in programs()) {
        let calm = play(config.clone(), Box::new(Fifo), &mut Interpreter::new(&scripts));
        let guided = play(config, Box::new(Guided::by(Vec::new())), &mut Interpreter::new(&scripts));
        prop_assert_eq!(calm.simulation.trace_events(), guided.simulation.trace_events());
        let trail = guided.simulation.trail().expect("it is kept");
        prop_assert_eq!((trail.switches(), trail.deviations()), (0, 0));
    }

    #[test]
    fn the_undisturbed_run_keeps_the_rules(config in configs(), scripts in programs()) {
        let player = play(config.clone(), Box::new(Fifo), &mut Interpreter::new(&scripts));
        let cuts_left = check_network(&player, config.node_order);
        check_rest(&player, &config, cuts_left);
        prop_assert!(player.simulation.choices().iter().all(|&choice| choice == 0));
    }

    /// What a caller may not do is an error, and the run goes on as if it had not been tried.
    #[test]
    fn misuse_is_refused(config in configs(), scripts in programs(), number in any::<u32>()) {
        let expected = run(&config, &scripts).simulation.hash();
        let mut program = Meddler { program: Interpreter::new(&scripts), number };
        let player = play(config.clone(), Box::new(Random::new(config.seed)), &mut program);
        prop_assert_eq!(player.simulation.hash(), expected);
    }
}

/// Checks before each step that nobody else could take it; works on a shared reference, so it cannot take one itself.
struct Meddler {
    program: Interpreter,
    number: u32,
}

impl Program for Meddler {
    fn next(&mut self, me: ProcessId, grant: &Grant, simulation: &Simulation) -> Op {
        let other = ProcessId(self.number % (simulation.process_count() + 2));
        assert_eq!(simulation.check_turn(other).is_ok(), other == me);
        assert!(simulation.check_process(ProcessId(simulation.process_count())).is_err());
        self.program.next(me, grant, simulation)
    }
}
