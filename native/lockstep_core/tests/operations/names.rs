//! Names, which belong to a node and end with their process.

use crate::support::{A, B, NAMES, main_on, p, poll, receive, spawn, wait};
use crate::{HERE, named, pause, run};
use lockstep_core::{Grant, MAIN, Op, Refusal};

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
