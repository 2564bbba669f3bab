//! Programs whose interleavings can be counted by hand.

use std::collections::BTreeSet;

use crate::config;
use crate::program::{Act, Script};
use crate::search::{check, explore};
use lockstep_core::{Bound, Explored, Wait};

fn count(scripts: &[Script]) -> usize {
    check(scripts, false, 300_000).expect("few schedules")
}

#[test]
fn three_writers_have_six_orders() {
    let write = vec![Act::Write(1)];
    assert_eq!(count(&[vec![], write.clone(), write.clone(), write]), 6);
}

#[test]
fn no_run_is_given_up_where_nobody_stops_anybody() {
    let script = vec![Act::Write(1), Act::Write(1), Act::Send(0, 1)];
    let scripts = [
        vec![Act::Receive(None, Wait::Forever); 3],
        script.clone(),
        script.clone(),
        script,
    ];
    let explored = explore(&scripts, &config(false), Bound::Interleavings).1;
    // 6! / 2!^3 orders of the writes, 3! of the messages.
    assert_eq!(
        explored,
        Explored {
            complete: 90 * 6,
            abandoned: 0
        }
    );
}

#[test]
fn bounded_searches_run_all_schedules_within_the_bound() {
    let scripts = [
        vec![],
        vec![Act::Write(1), Act::Write(1)],
        vec![Act::Write(1), Act::Write(1)],
    ];
    let distinct = |bound| {
        let hashes = explore(&scripts, &config(false), bound).0;
        hashes.into_iter().collect::<BTreeSet<u64>>().len()
    };
    // 4! / 2!^2 orders in all. Without a preemption one writer comes before the other; each preemption ends a row of writes
    // before the writer is done: 1122 and 2211, 1221 and 2112, then 1212 and 2121.
    let found = [0, 1, 2, 3].map(|most| distinct(Bound::Preemptions(most)));
    assert_eq!(found, [2, 4, 6, 6]);
    assert_eq!(distinct(Bound::Delays(0)), 1);
    assert_eq!(distinct(Bound::Delays(8)), 6);
}

#[test]
fn readers_do_not_count() {
    let read = vec![Act::Read(1)];
    // The writer comes before or after each of the two.
    assert_eq!(count(&[vec![], read.clone(), read, vec![Act::Write(1)]]), 4);
}

#[test]
fn what_concerns_different_entries_has_one_order() {
    assert_eq!(count(&[vec![], vec![Act::Write(1)], vec![Act::Write(2)]]), 1);
    assert_eq!(
        count(&[vec![], vec![Act::Write(1)], vec![Act::Write(2)], vec![Act::ReadAll]]),
        4
    );
}

#[test]
fn an_unread_message_hides_no_race() {
    let forever = |tag| Act::Receive(Some(tag), Wait::Forever);
    // The second reads, and sends the first what that does not look at; the first writes when it has heard of the third.
    let scripts = [
        vec![],
        vec![forever(3), Act::Write(1)],
        vec![Act::Read(1), Act::Send(1, 7)],
        vec![Act::Send(1, 3)],
    ];
    // With its own message first the read is before the write in any case; with the other first it can be either.
    assert_eq!(count(&scripts), 3);
}

#[test]
fn a_poll_races_with_the_message() {
    let poll = vec![Act::Receive(Some(1), Wait::Poll), Act::Write(1)];
    assert_eq!(count(&[vec![], poll, vec![Act::Send(1, 1)]]), 2);
}

#[test]
fn a_kill_comes_before_between_or_after() {
    // Before its start, its two steps, and its end, or after all.
    assert_eq!(count(&[vec![], vec![Act::Yield, Act::Yield], vec![Act::Kill(1)]]), 5);
}

#[test]
fn a_timeout_comes_when_nothing_else_can_happen() {
    let scripts = [
        vec![],
        vec![Act::Receive(None, Wait::For(10)), Act::Write(1)],
        vec![Act::Write(1)],
    ];
    assert_eq!(count(&scripts), 1);
}
