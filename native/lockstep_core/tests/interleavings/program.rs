//! Small programs, and what plays them: processes that take from their mailboxes what fits, as the BEAM side does.

use std::collections::{BTreeMap, VecDeque};

use crate::support::{self, NAMES};
use lockstep_core::strategy::{Object, Strategy as Scheduler};
use lockstep_core::{
    Config, Death, ExitClass, Grant, Item, MAIN, MessageId, Next, NodeId, Op, Outcome, ProcessId, RefId, Simulation,
    Target, Wait,
};

/// What a process does next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Act {
    Read(u8),
    Write(u8),
    /// The whole table that the objects are entries of.
    ReadAll,
    WriteAll,
    /// To a process, with a tag.
    Send(u8, u8),
    /// The first message, or the first with this tag.
    Receive(Option<u8>, Wait),
    Kill(u8),
    Signal(u8),
    Trap(bool),
    Link(u8),
    Unlink(u8),
    Monitor(u8),
    Demonitor,
    Register(u8),
    Whereis,
    SendName(u8),
    Look(u8),
    Timer(u8, u8),
    Cancel,
    Suspend(u8),
    Resume(u8),
    Spawn,
    Yield,
    Crash,
}

pub(crate) type Script = Vec<Act>;

/// One run of a program: the first script is that of the main process, which starts the others first.
pub(crate) struct Run<'a> {
    pub(crate) simulation: Simulation,
    scripts: &'a [Script],
    processes: BTreeMap<ProcessId, State>,
    tags: BTreeMap<MessageId, u8>,
    /// The main process and those that it starts, in their order: numbers depend on who else is started meanwhile.
    known: Vec<ProcessId>,
}

#[derive(Default)]
struct State {
    script: VecDeque<Act>,
    references: u64,
    mailbox: Vec<Item>,
    looked_at: usize,
    begun: bool,
    spawns: usize,
}

const SYSTEM: u8 = 255;

impl<'a> Run<'a> {
    pub(crate) fn new(scripts: &'a [Script], config: Config, strategy: Box<dyn Scheduler>) -> Self {
        let mut processes = BTreeMap::new();
        processes.insert(
            MAIN,
            State {
                script: scripts[0].iter().copied().collect(),
                spawns: scripts.len() - 1,
                ..State::default()
            },
        );
        Run {
            simulation: support::simulation(config, strategy),
            scripts,
            processes,
            tags: BTreeMap::new(),
            known: vec![MAIN],
        }
    }

    pub(crate) fn run(&mut self) -> Outcome {
        let mut next = self.simulation.begin().unwrap();
        while let Next::Go(me, grant) = next {
            next = self.step(me, grant);
        }
        self.simulation.outcome().unwrap()
    }

    fn step(&mut self, me: ProcessId, grant: Grant) -> Next {
        match grant {
            Grant::Ended => return self.end(me),
            Grant::Die(Death::Signal(_) | Death::System(_)) => return self.end(me),
            Grant::Items(items) => {
                self.processes.get_mut(&me).unwrap().mailbox.extend(items);
                return self.look_through(me);
            }
            Grant::TimedOut => {
                let state = self.processes.get_mut(&me).unwrap();
                state.script.pop_front();
                state.looked_at = 0;
                state.begun = false;
            }
            Grant::Sent(_, id) | Grant::Parked(id) => {
                let tag = self
                    .processes
                    .get(&me)
                    .and_then(|state| tag_of(state.script.front().copied()));
                self.tags.insert(id, tag.unwrap_or(SYSTEM));
                self.done(me);
            }
            Grant::Spawned(Some(child)) => {
                let state = self.processes.get_mut(&me).unwrap();
                let script = if me == MAIN && state.spawns > 0 {
                    state.spawns -= 1;
                    self.known.push(child);
                    self.scripts[self.scripts.len() - 1 - state.spawns]
                        .iter()
                        .copied()
                        .collect()
                } else {
                    state.script.pop_front();
                    VecDeque::from([Act::Write(0)])
                };
                self.processes.insert(
                    child,
                    State {
                        script,
                        ..State::default()
                    },
                );
            }
            Grant::Done
                if self
                    .processes
                    .get(&me)
                    .is_some_and(|state| !state.begun && state.references == 0) =>
            {
                self.processes.get_mut(&me).unwrap().references = 1;
            }
            _ => self.done(me),
        }
        self.announce(me)
    }

    fn done(&mut self, me: ProcessId) {
        self.processes.get_mut(&me).unwrap().script.pop_front();
    }

    fn end(&mut self, me: ProcessId) -> Next {
        let farewell = self.simulation.finish(me, &[]).unwrap();
        for notice in farewell.ties {
            self.tags.insert(notice.id, SYSTEM);
        }
        self.simulation.reaped(me).unwrap()
    }

    fn announce(&mut self, me: ProcessId) -> Next {
        let state = self.processes.get_mut(&me).unwrap();
        if me == MAIN && state.spawns > 0 {
            let op = Op::Spawn {
                node: NodeId(0),
                link: false,
                monitor: None,
                alias: None,
                request: None,
            };
            return self.simulation.announce(me, op).unwrap();
        }
        match state.script.front() {
            Some(Act::Receive(_, wait)) if *wait != Wait::Poll => self.look_through(me),
            _ => {
                let op = self.op(me);
                self.simulation.announce(me, op).unwrap()
            }
        }
    }

    /// Looks for the first message that fits. A poll comes here only after its step.
    fn look_through(&mut self, me: ProcessId) -> Next {
        let state = self.processes.get_mut(&me).unwrap();
        let Some(&Act::Receive(pattern, wait)) = state.script.front() else {
            panic!("{me:?} does not receive");
        };
        let tags = &self.tags;
        let fits = |item: &Item| pattern.is_none_or(|tag| tag_in(tags, *item) == tag);
        let place = state.mailbox.iter().position(fits);
        match place {
            Some(place) => {
                state.mailbox.remove(place);
                state.script.pop_front();
                state.begun = false;
                self.simulation.took(me, place, true);
                self.announce(me)
            }
            None => {
                let wait = if std::mem::replace(&mut state.begun, true) && wait != Wait::Forever {
                    Wait::Rest
                } else {
                    wait
                };
                self.simulation.announce(me, Op::Receive(wait)).unwrap()
            }
        }
    }

    fn op(&mut self, me: ProcessId) -> Op {
        // Who is started before somebody is who that can know of.
        let place = self.known.iter().position(|&process| process == me);
        let count = if me == MAIN {
            self.known.len()
        } else {
            place.map_or(1, |place| place + 1)
        };
        let known = self.known[..count].to_vec();
        let process = |which: u8| known[usize::from(which) % count];
        let state = self.processes.get_mut(&me).unwrap();
        let reference = |number: u64| RefId((u64::from(me.0 + 1) << 32) | number);
        let object = |entry| Object::Table { table: 1, entry };
        match state.script.front().copied() {
            None => Op::Exit(ExitClass::Normal),
            Some(Act::Read(entry)) => Op::Access {
                object: object(Some(entry.into())),
                write: false,
            },
            Some(Act::Write(entry)) => Op::Access {
                object: object(Some(entry.into())),
                write: true,
            },
            Some(Act::ReadAll) => Op::Access {
                object: object(None),
                write: false,
            },
            Some(Act::WriteAll) => Op::Access {
                object: object(None),
                write: true,
            },
            Some(Act::Send(to, _)) => Op::Send(Target::Process(process(to))),
            Some(Act::Receive(_, wait)) => {
                state.begun = true;
                Op::Receive(wait)
            }
            Some(Act::Kill(to)) => Op::Signal(process(to), ExitClass::Kill),
            Some(Act::Signal(to)) => Op::Signal(process(to), ExitClass::Crash),
            Some(Act::Trap(on)) => Op::TrapExit(on),
            Some(Act::Link(to)) => Op::Link(process(to)),
            Some(Act::Unlink(to)) => Op::Unlink(process(to)),
            Some(Act::Monitor(to)) => {
                state.references += 1;
                Op::Monitor {
                    target: Target::Process(process(to)),
                    reference: reference(state.references),
                    alias: None,
                }
            }
            Some(Act::Demonitor) => Op::Demonitor(reference(state.references)),
            Some(Act::Register(which)) => Op::Register(NAMES[0], process(which)),
            Some(Act::Whereis) => Op::Whereis(NAMES[0]),
            Some(Act::SendName(_)) => Op::Send(Target::Name(NodeId(0), NAMES[0])),
            Some(Act::Look(at)) => Op::Look(Some(process(at))),
            Some(Act::Timer(to, after)) => {
                state.references += 1;
                Op::StartTimer {
                    after: u64::from(after % 3) * 10,
                    target: Target::Process(process(to)),
                    reference: reference(state.references),
                }
            }
            Some(Act::Cancel) => Op::CancelTimer(reference(state.references)),
            Some(Act::Suspend(other)) => Op::Suspend {
                process: process(other),
                once: false,
            },
            Some(Act::Resume(other)) => Op::Resume(process(other)),
            Some(Act::Spawn) => Op::Spawn {
                node: NodeId(0),
                link: true,
                monitor: None,
                alias: None,
                request: None,
            },
            Some(Act::Yield) => Op::Yield,
            Some(Act::Crash) => Op::Exit(ExitClass::Crash),
        }
    }
}

fn tag_of(act: Option<Act>) -> Option<u8> {
    match act {
        Some(Act::Send(_, tag) | Act::SendName(tag)) => Some(tag),
        Some(Act::Timer(_, after)) => Some(after % 2),
        _ => None,
    }
}

fn tag_in(tags: &BTreeMap<MessageId, u8>, item: Item) -> u8 {
    match item {
        Item::Term(id) | Item::Parked(id) => tags.get(&id).copied().unwrap_or(SYSTEM),
        _ => SYSTEM,
    }
}
