//! A fixed program and what its runs have always come to. A change here breaks recorded seeds and choice logs.

mod support;

use lockstep_core::{ExitClass, Kind, Op, PartitionMode, Scope, Target, etf};
use support::{A, B, NAMES, cut, main_on, monitor, p, random, receive, send, timer, wait};

/// A bit of everything.
fn scripts() -> Vec<Vec<Op>> {
    let main = vec![
        send(1),
        send(2),
        cut(A, B, PartitionMode::Defer),
        timer(3000, 0, 1),
        wait(5000),
        Op::Heal(Scope::All),
        monitor(2, 2),
        Op::Signal(p(2), ExitClass::Kill),
        wait(50_000),
        Op::StopNode(A),
    ];
    let on_a = vec![
        receive(),
        Op::Register(NAMES[0], p(1)),
        send(2),
        Op::Link(p(2)),
        send(0),
        receive(),
        receive(),
    ];
    let on_b = vec![
        receive(),
        Op::TrapExit(true),
        send(1),
        wait(2000),
        Op::Send(Target::Name(A, NAMES[0])),
        receive(),
    ];
    vec![main_on(&[A, B], main), on_a, on_b]
}

#[test]
fn hashes_are_pinned() {
    let hashes = [0, 1, 42].map(|seed| random(support::config(), seed, scripts()).simulation.hash());
    assert_eq!(hashes, HASHES);
    // The hash tells schedules apart.
    assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2]);
}

const HASHES: [u64; 3] = [4687208596891580627, 8242196748567174798, 11839271715547286293];

#[test]
fn choices_are_pinned() {
    assert_eq!(random(support::config(), 42, scripts()).simulation.choices(), CHOICES);
}

const CHOICES: &[u64] = &[
    1, 0, 2, 2, 1, 1, 2, 2, 0, 0, 2, 0, 1, 0, 1, 4825, 0, 2, 1, 2, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0,
];

/// The boundary finds the atom of a kind by its place, and trace files name it by serde.
#[test]
fn kinds_have_one_name_and_one_place() {
    for (place, kind) in Kind::ALL.into_iter().enumerate() {
        assert_eq!(kind as usize, place);
        let name = kind.name().as_bytes();
        let atom = [&[131, 119, name.len() as u8], name].concat();
        assert_eq!(etf::to_bytes(&kind).unwrap(), atom);
    }
}
