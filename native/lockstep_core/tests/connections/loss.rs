//! How connections are lost, and what with them.

use crate::support::{self, A, B, C, NAMES, main_on, monitor, p, random, receive, send, wait};
use crate::{News, S, apart, connect, crash, heal, news, results, run, silence, subscribe, times, trap, watch};
use lockstep_core::{Item, Kind, Op, Setting, Target};

#[test]
fn who_disconnects_knows_at_once_and_the_other_side_after_all_that_was_sent() {
    let caller = vec![
        trap(),
        subscribe(),
        Op::Link(p(2)),
        monitor(2, 9),
        watch(B),
        send(2),
        send(2),
        Op::Disconnect(A, B),
        Op::Receive(lockstep_core::Wait::Poll),
    ];
    let other = [vec![trap(), subscribe()], vec![wait(S); 4]].concat();
    let player = run(vec![
        main_on(&[A, B], vec![]),
        [vec![wait(1)], caller.clone()].concat(),
        other.clone(),
    ]);
    assert_eq!(
        news(&player, 1),
        [News::Exit, News::Down, News::NodeDown, News::Disconnect]
    );
    assert_eq!(
        news(&player, 2),
        [News::Message, News::Message, News::Exit, News::Closed]
    );
    // However long things are under way; what was sent last may be lost with the connection.
    let scripts = [main_on(&[A, B], vec![]), [vec![wait(1)], caller].concat(), other];
    let seen = results(&scripts, |player| {
        assert_eq!(
            news(player, 1),
            [News::Exit, News::Down, News::NodeDown, News::Disconnect]
        );
        let mut news = news(player, 2);
        let arrived = news.iter().take_while(|&&news| news == News::Message).count();
        let rest = news.split_off(arrived);
        // The link may be lost on its way, too.
        assert!(
            rest == [News::Exit, News::Closed] || (rest == [News::Closed] && arrived == 0),
            "{arrived} {rest:?}"
        );
        arrived
    });
    assert_eq!(seen, [0, 1, 2].into());
}

#[test]
fn of_what_a_node_sent_before_it_crashed_a_prefix_arrives() {
    let sender = [vec![wait(1)], vec![send(2); 3], vec![wait(S)]].concat();
    let receiver = [vec![subscribe()], vec![wait(S); 5]].concat();
    let scripts = [
        main_on(&[A, B], vec![wait(2), crash(A, false), wait(S)]),
        sender,
        receiver,
    ];
    let seen = results(&scripts, |player| {
        let news = news(player, 2);
        let (last, messages) = news.split_last().unwrap();
        assert_eq!(*last, News::Closed);
        assert!(messages.iter().all(|&news| news == News::Message));
        messages.len()
    });
    assert_eq!(seen, [0, 1, 2, 3].into());
}

#[test]
fn a_node_that_leaves_the_distribution_gives_up_all_connections_in_one_step() {
    let leaver = vec![
        wait(1),
        subscribe(),
        connect(B),
        wait(S),
        // Begins to connect to a third node, and would connect to the second one again.
        send(3),
        Op::Configure(A, Setting::Alive(false)),
        send(2),
        send(3),
        wait(10 * S),
    ];
    let others = vec![subscribe(), wait(S), wait(S), wait(10 * S)];
    let scripts = [apart(&[A, B, C], vec![]), leaver, others.clone(), others];
    let seen = results(&scripts, |player| {
        let kinds = player.simulation.trace_events().iter().map(|event| event.kind);
        let later = kinds.skip_while(|&kind| kind != Kind::Configure);
        assert_eq!(later.filter(|&kind| kind == Kind::Connected).count(), 0);
        assert!(player.simulation.connections(A).is_empty());
        [1, 2, 3].map(|process| news(player, process))
    });
    let second = [News::Up, News::Closed].to_vec();
    let never = [
        [News::Up, News::Other, News::Disconnect].to_vec(),
        second.clone(),
        vec![],
    ];
    // What was sent to the third node after the connection to it was there may have been lost again.
    let first = [News::Up, News::Other, News::Up, News::Disconnect, News::Disconnect].to_vec();
    let in_time = |third| [first.clone(), second.clone(), third];
    let third = [
        vec![News::Up, News::Closed],
        vec![News::Up, News::Message, News::Closed],
    ];
    assert_eq!(seen, [never].into_iter().chain(third.map(in_time)).collect());
}

#[test]
fn what_a_node_sent_before_it_stopped_in_order_arrives() {
    let sender = [vec![wait(1)], vec![send(2); 3], vec![wait(S)]].concat();
    let receiver = [vec![subscribe()], vec![wait(S); 5]].concat();
    let main = main_on(&[A, B], vec![wait(2), crash(A, true), wait(S)]);
    let seen = results(&[main, sender, receiver], |player| news(player, 2));
    let all = vec![News::Message, News::Message, News::Message, News::Closed];
    assert_eq!(seen, [all].into());
}

#[test]
fn a_lost_connection_leaves_one_gap() {
    // 1 sends to 2, a message a ms, and 2's node closes the connection meanwhile.
    let stream: Vec<_> = (0..30).flat_map(|_| [wait(1000), send(2)]).collect();
    let receiver = [vec![subscribe()], vec![wait(S); 40]].concat();
    let main = main_on(&[A, B], vec![wait(4500), Op::Disconnect(B, A), wait(S)]);
    let seen = results(&[main, stream, receiver], |player| {
        let sent: Vec<_> = times(player, Kind::Send);
        assert_eq!(sent.len(), 30);
        let (items, mut events) = (player.items(p(2)), news(player, 2));
        events.retain(|&news| news != News::Message);
        assert_eq!(events, [News::Disconnect, News::Up]);
        let ids = items.iter().filter_map(|item| match item {
            Item::Term(id) => Some(id.0),
            _ => None,
        });
        let ids: Vec<_> = ids.collect();
        assert!(
            ids.windows(2).filter(|pair| pair[1] != pair[0] + 1).count() <= 1,
            "{ids:?}"
        );
        30 - ids.len()
    });
    assert!(seen.contains(&0) && seen.len() > 2, "{seen:?}");
}

#[test]
fn what_a_process_watches_fires_in_the_order_in_which_it_began() {
    let orders = [
        (vec![watch(B), monitor(2, 1)], vec![News::NodeDown, News::Down]),
        (vec![monitor(2, 1), watch(B)], vec![News::Down, News::NodeDown]),
        (
            vec![watch(B), monitor(2, 1), watch(B)],
            vec![News::NodeDown, News::NodeDown, News::Down],
        ),
        (
            vec![monitor(2, 1), watch(B), monitor(2, 2), trap(), Op::Link(p(2))],
            vec![News::Exit, News::Down, News::NodeDown, News::Down],
        ),
    ];
    for (watched, heard) in orders {
        let watcher = [watched, vec![wait(S); 4]].concat();
        let main = main_on(&[A, B], vec![wait(1), Op::Disconnect(B, A), wait(S)]);
        let player = run(vec![main, watcher, vec![wait(2 * S), wait(2 * S)]]);
        assert_eq!(news(&player, 1), heard);
    }
}

#[test]
fn a_side_that_reconnects_takes_over_from_the_old_connection() {
    // 1's node gives 2's up after 60 s, and 2's node that one after 4 s.
    let tick = Op::Configure(B, Setting::Tick(4 * S, 4));
    let main = main_on(&[A, B], vec![tick, wait(S), silence(), wait(10 * S), heal()]);
    let one = [
        vec![
            wait(1),
            trap(),
            subscribe(),
            Op::Link(p(2)),
            monitor(2, 9),
            watch(B),
            wait(2 * S),
        ],
        vec![send(2); 3],
        vec![wait(20 * S); 9],
    ]
    .concat();
    let two = [vec![trap(), wait(11 * S), wait(5 * S), send(1)], vec![wait(20 * S); 3]].concat();
    let seen = results(&[main, one, two], |player| {
        assert_eq!(news(player, 2), [News::Exit]);
        news(player, 1)
    });
    let taken_over = vec![
        News::Exit,
        News::Down,
        News::NodeDown,
        News::TakenOver,
        News::Up,
        News::Message,
    ];
    let closed = vec![
        News::Exit,
        News::Down,
        News::NodeDown,
        News::Closed,
        News::Up,
        News::Message,
    ];
    assert_eq!(seen, [taken_over, closed].into());
}

#[test]
fn nothing_of_connections_is_left_when_a_run_has_come_to_rest() {
    let main = apart(&[A, B], vec![wait(S), silence(), wait(100 * S), heal()]);
    let one = vec![
        connect(B),
        receive(),
        wait(2 * S),
        send(2),
        Op::Send(Target::Name(B, NAMES[0])),
        wait(200 * S),
    ];
    for seed in 0..50 {
        let player = random(
            support::config(),
            seed,
            vec![main.clone(), one.clone(), vec![wait(300 * S)]],
        );
        assert_eq!(player.simulation.load(), lockstep_core::Load::default());
    }
}
