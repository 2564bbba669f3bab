//! Messages: where they arrive, and where they do not.

use crate::support::{self, A, B, NAMES, Player, main_on, p, poll, random, receive, send, simulation, spawn};
use crate::{HERE, R, named, pause, run};
use lockstep_core::strategy::Fifo;
use lockstep_core::{Config, Grant, Item, MAIN, Next, NodeId, Op, Refusal, Target, Wait};

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
