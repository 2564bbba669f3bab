//! When each side notices silence (R-TICK), against a model that counts tick by tick.

use std::collections::VecDeque;

use crate::support::{A, B, main_on, play, send, wait};
use crate::{S, config, silence};
use lockstep_core::strategy::{Candidates, Strategy as Choices};
use lockstep_core::{Kind, Micros, NodeId, Op, Setting};
use proptest::prelude::*;

/// Undisturbed, and with these numbers for what is drawn.
#[derive(Debug)]
struct Drawn(VecDeque<u64>);

impl Choices for Drawn {
    fn schedule(&mut self, _candidates: &Candidates<'_>, _choices: usize) -> usize {
        0
    }

    fn stall(&mut self, _max: Micros, _upcoming: &[Micros]) -> Micros {
        0
    }

    fn latency(&mut self, _max: Micros) -> Micros {
        self.0.pop_front().expect("nothing else is drawn")
    }

    fn fault(&mut self, _count: u64) -> u64 {
        0
    }
}

/// How a node ticks: how long until it gives up, in how many ticks, and at which time it began.
#[derive(Debug, Clone, Copy)]
struct Ticks {
    period: Micros,
    intensity: u64,
    phase: Micros,
}

impl Ticks {
    fn until(self, end: Micros) -> impl Iterator<Item = Micros> {
        (0..)
            .map(move |count| self.phase + count * self.period)
            .take_while(move |&time| time <= end)
    }
}

/// When a node that ticks as `own` gives up one that ticks as `theirs` and has written something at these times, when
/// nothing that is written after `cut` gets there: tick by tick, as `dist_util.erl` counts.
fn given_up(own: Ticks, theirs: Ticks, written: &[Micros], cut: Micros) -> Micros {
    let end = cut + 4 * own.period * own.intensity;
    let mut arrivals: Vec<_> = written.to_vec();
    let mut before = 0;
    for tick in theirs.until(end) {
        if !written.iter().any(|&time| before < time && time <= tick) {
            arrivals.push(tick);
        }
        before = tick;
    }
    arrivals.retain(|&time| time <= cut);
    let (mut read, mut heard_in) = (0, 0);
    for (count, tick) in own.until(end).enumerate() {
        let number = count as u64 % own.intensity + 1;
        let arrived = arrivals.iter().filter(|&&time| time <= tick).count();
        if arrived == read && heard_in == number {
            return tick;
        }
        if arrived > read {
            (read, heard_in) = (arrived, number);
        }
    }
    unreachable!("silence is noticed")
}

/// Two nodes with the same tick time, as they have to have, in different numbers of ticks.
fn ticks() -> impl Strategy<Value = [Ticks; 2]> {
    // So that every intensity gives a whole and even period.
    let time = (1u64..20).prop_map(|factor| 2 * 840 * factor);
    let node = || (4u64..9, any::<u16>());
    (time, [node(), node()]).prop_map(|(time, nodes)| {
        nodes.map(|(intensity, phase)| Ticks {
            period: time / intensity,
            intensity,
            phase: 2 * (u64::from(phase) % (time / intensity / 2)),
        })
    })
}

/// Sends at these times, which only grow.
fn at_times(times: &[Micros], to: u32) -> Vec<Op> {
    let waits = times.iter().scan(0, |now, &time| {
        let step = time - std::mem::replace(now, time);
        Some([wait(step), send(to)])
    });
    waits.flatten().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    /// Both sides against the model. Ticks are at even times, and all else at odd ones.
    #[test]
    fn silence_is_noticed_when_ticks_say_so(
        [a, b] in ticks(),
        gaps in prop::collection::vec(1u64..5000, 0..12),
        answers in prop::collection::vec(1u64..5000, 0..12),
        cut_at in 40_000u64..80_000,
    ) {
        let odd = |gaps: &[u64]| -> Vec<Micros> {
            gaps.iter().scan(1, |time, &gap| { *time += 2 * gap; Some(*time) }).collect()
        };
        let (from_a, from_b, cut_at) = (odd(&gaps), odd(&answers), 2 * cut_at + 1);
        let set = |node, ticks: Ticks| Op::Configure(node, Setting::Tick(ticks.period * ticks.intensity, ticks.intensity));
        let rest = vec![set(A, a), set(B, b), wait(cut_at), silence(), wait(100 * S)];
        let listen = vec![wait(100 * S); 24];
        // Who sends gets nothing, so that nothing cuts its waits short.
        let scripts = vec![
            main_on(&[A, B, A, B], rest),
            at_times(&from_a, 4),
            at_times(&from_b, 3),
            listen.clone(),
            listen,
        ];
        // The cut is looked at from B first, which needs to know how A ticks, and how it ticks itself.
        let phases = Drawn([a.phase, b.phase].into());
        let player = play(config(), Box::new(phases), &mut { scripts });
        let given_up_by = |node: NodeId| {
            let events = player.simulation.trace_events().iter();
            let tick = events.filter(|event| event.kind == Kind::Tick && event.object == u64::from(node.0));
            tick.map(|event| event.time).collect::<Vec<_>>()
        };
        prop_assert_eq!(given_up_by(A), vec![given_up(a, b, &from_b, cut_at)]);
        prop_assert_eq!(given_up_by(B), vec![given_up(b, a, &from_a, cut_at)]);
    }
}
