//! Random programs. `INTERLEAVINGS` is how many, 300 unless set.

use crate::program::{Act, Script};
use crate::search::check;
use lockstep_core::Wait;
use proptest::prelude::*;

fn waits() -> impl Strategy<Value = Wait> {
    prop_oneof![
        Just(Wait::Poll),
        Just(Wait::Forever),
        Just(Wait::Forever),
        Just(Wait::For(10))
    ]
}

fn acts() -> impl Strategy<Value = Act> {
    let n = 0u8..4;
    prop_oneof![
        6 => (0u8..2).prop_map(Act::Write),
        3 => (0u8..2).prop_map(Act::Read),
        1 => Just(Act::ReadAll),
        1 => Just(Act::WriteAll),
        6 => (n.clone(), 0u8..2).prop_map(|(to, tag)| Act::Send(to, tag)),
        5 => (prop::option::of(0u8..2), waits()).prop_map(|(tag, wait)| Act::Receive(tag, wait)),
        1 => n.clone().prop_map(Act::Kill),
        1 => n.clone().prop_map(Act::Signal),
        1 => any::<bool>().prop_map(Act::Trap),
        1 => n.clone().prop_map(Act::Link),
        1 => n.clone().prop_map(Act::Unlink),
        2 => n.clone().prop_map(Act::Monitor),
        1 => Just(Act::Demonitor),
        1 => n.clone().prop_map(Act::Register),
        1 => Just(Act::Whereis),
        1 => (0u8..2).prop_map(Act::SendName),
        1 => n.clone().prop_map(Act::Look),
        1 => (n.clone(), 0u8..3).prop_map(|(to, after)| Act::Timer(to, after)),
        1 => Just(Act::Cancel),
        1 => n.clone().prop_map(Act::Suspend),
        1 => n.prop_map(Act::Resume),
        1 => Just(Act::Spawn),
        1 => Just(Act::Crash),
    ]
}

fn programs() -> impl Strategy<Value = Vec<Script>> {
    prop::collection::vec(prop::collection::vec(acts(), 0..4), 2..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_interleaving_of_a_random_program_is_run_once(scripts in programs(), delivery in any::<bool>()) {
        check(&scripts, delivery, 4000);
    }
}

fn cases() -> u32 {
    std::env::var("INTERLEAVINGS")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(300)
}
