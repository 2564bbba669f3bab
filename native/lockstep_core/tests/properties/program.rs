//! Random programs, and the interpreter that runs them.

use std::collections::BTreeMap;

use crate::support::{self, A, B, C, NAMES, NODES, Program};
use lockstep_core::strategy::Object;
use lockstep_core::{
    AliasMode, ExitClass, Grant, NodeId, Op, PartitionMode, ProcessId, RefId, Request, Scope, Simulation, Target, Wait,
};
use proptest::prelude::*;

/// An operation whose objects are chosen among those that are there when it is announced.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Send(u8),
    SendName(u8, u8),
    SendAlias(u8),
    Receive(Wait, u8),
    Spawn {
        node: u8,
        link: bool,
        monitor: bool,
    },
    Request {
        node: u8,
        link: bool,
        monitor: bool,
        reply: bool,
    },
    Abandon(u8),
    Look(u8),
    Suspend(u8, bool),
    Resume(u8),
    Link(u8),
    Unlink(u8),
    Monitor(u8, Option<AliasMode>),
    MonitorName(u8, u8),
    Demonitor(u8),
    Alias(AliasMode),
    Unalias(u8),
    Signal(u8, ExitClass),
    Exit(ExitClass),
    TrapExit(bool),
    Register(u8, u8),
    Unregister(u8),
    Whereis(u8),
    StartTimer(u32, u8),
    StartNameTimer(u32, u8),
    CancelTimer(u8),
    ReadTimer(u8),
    Access(u8, bool),
    Yield,
    Partition(u8, PartitionMode),
    Heal,
    SetTickTime(u32),
    StopNode(u8),
    StartNode(u8),
    MonitorNode(u8, bool, bool),
}

fn waits() -> impl Strategy<Value = Wait> {
    prop_oneof![
        2 => Just(Wait::Poll),
        1 => Just(Wait::Forever),
        3 => (0u64..200_000).prop_map(Wait::For),
    ]
}

fn classes() -> impl Strategy<Value = ExitClass> {
    prop_oneof![
        Just(ExitClass::Normal),
        Just(ExitClass::Shutdown),
        Just(ExitClass::Kill),
        Just(ExitClass::Crash),
    ]
}

fn modes() -> impl Strategy<Value = AliasMode> {
    prop_oneof![
        Just(AliasMode::Explicit),
        Just(AliasMode::Demonitor),
        Just(AliasMode::ReplyDemonitor),
        Just(AliasMode::Reply),
    ]
}

fn cuts() -> impl Strategy<Value = PartitionMode> {
    prop_oneof![Just(PartitionMode::Drop), Just(PartitionMode::Defer)]
}

fn acts() -> impl Strategy<Value = Act> {
    let n = any::<u8>;
    let messages = prop_oneof![
        8 => n().prop_map(Act::Send),
        3 => (n(), n()).prop_map(|(node, name)| Act::SendName(node, name)),
        2 => n().prop_map(Act::SendAlias),
        8 => (waits(), 0u8..3).prop_map(|(wait, again)| Act::Receive(wait, again)),
    ];
    let processes = prop_oneof![
        3 => (n(), any::<bool>(), any::<bool>()).prop_map(|(node, link, monitor)| Act::Spawn { node, link, monitor }),
        1 => (n(), any::<[bool; 3]>()).prop_map(|(node, [link, monitor, reply])| {
            Act::Request { node, link, monitor, reply }
        }),
        1 => n().prop_map(Act::Abandon),
        1 => n().prop_map(Act::Look),
        1 => (n(), any::<bool>()).prop_map(|(process, once)| Act::Suspend(process, once)),
        1 => n().prop_map(Act::Resume),
        2 => n().prop_map(Act::Link),
        1 => n().prop_map(Act::Unlink),
        3 => (n(), prop::option::of(modes())).prop_map(|(process, mode)| Act::Monitor(process, mode)),
        1 => (n(), n()).prop_map(|(node, name)| Act::MonitorName(node, name)),
        1 => n().prop_map(Act::Demonitor),
        1 => modes().prop_map(Act::Alias),
        1 => n().prop_map(Act::Unalias),
        2 => (n(), classes()).prop_map(|(process, class)| Act::Signal(process, class)),
        1 => classes().prop_map(Act::Exit),
        2 => any::<bool>().prop_map(Act::TrapExit),
        2 => (n(), n()).prop_map(|(name, process)| Act::Register(name, process)),
        1 => n().prop_map(Act::Unregister),
        1 => n().prop_map(Act::Whereis),
    ];
    let others = prop_oneof![
        2 => (0u32..200_000, n()).prop_map(|(after, process)| Act::StartTimer(after, process)),
        1 => (0u32..200_000, n()).prop_map(|(after, name)| Act::StartNameTimer(after, name)),
        1 => n().prop_map(Act::CancelTimer),
        1 => n().prop_map(Act::ReadTimer),
        1 => (n(), any::<bool>()).prop_map(|(object, write)| Act::Access(object, write)),
        1 => Just(Act::Yield),
    ];
    let cluster = prop_oneof![
        3 => (n(), cuts()).prop_map(|(groups, mode)| Act::Partition(groups, mode)),
        3 => Just(Act::Heal),
        1 => (0u32..100_000).prop_map(Act::SetTickTime),
        1 => n().prop_map(Act::StopNode),
        1 => n().prop_map(Act::StartNode),
        1 => (n(), any::<bool>(), any::<bool>()).prop_map(|(node, lost, on)| Act::MonitorNode(node, lost, on)),
    ];
    prop_oneof![6 => messages, 5 => processes, 2 => others, 2 => cluster]
}

pub(crate) fn programs() -> impl Strategy<Value = Vec<Vec<Act>>> {
    prop::collection::vec(prop::collection::vec(acts(), 0..25), 1..6)
}

/// The interpreter: what is left of each process's script, and the references it has made.
#[derive(Debug)]
pub(crate) struct Interpreter {
    scripts: Vec<Vec<Act>>,
    left: BTreeMap<ProcessId, Vec<Act>>,
    again: BTreeMap<ProcessId, u8>,
    references: BTreeMap<ProcessId, u64>,
    aliases: Vec<RefId>,
    prologue: Vec<Op>,
}

/// No run starts more processes than this.
const MAX_PROCESSES: u32 = 16;

impl Interpreter {
    pub(crate) fn new(scripts: &[Vec<Act>]) -> Self {
        let mut prologue: Vec<_> = NODES
            .into_iter()
            .map(|name| Op::StartNode { name, connect: true })
            .collect();
        prologue.extend([A, B, C, A].map(support::spawn));
        Interpreter {
            scripts: scripts.to_vec(),
            left: BTreeMap::new(),
            again: BTreeMap::new(),
            references: BTreeMap::new(),
            aliases: Vec::new(),
            prologue,
        }
    }

    fn fresh(&mut self, me: ProcessId) -> RefId {
        let made = self.references.entry(me).or_default();
        *made += 1;
        RefId((u64::from(me.0 + 1) << 32) | *made)
    }

    fn old(&self, me: ProcessId, which: u8) -> RefId {
        let made = self.references.get(&me).copied().unwrap_or_default().max(1);
        RefId((u64::from(me.0 + 1) << 32) | (u64::from(which) % made + 1))
    }

    fn op(&mut self, me: ProcessId, act: &Act, simulation: &Simulation) -> Op {
        let count = simulation.process_count();
        let process = |which: u8| ProcessId(u32::from(which) % count);
        let node = |which: u8| NodeId(u16::from(which) % 4);
        let name = |which: u8| NAMES[usize::from(which) % NAMES.len()];
        let home = simulation.node_of(me).unwrap();
        match *act {
            Act::Send(to) => Op::Send(Target::Process(process(to))),
            Act::SendName(to, which) => Op::Send(Target::Name(node(to), name(which))),
            Act::SendAlias(_) if self.aliases.is_empty() => Op::Yield,
            Act::SendAlias(which) => Op::Send(Target::Alias(self.aliases[usize::from(which) % self.aliases.len()])),
            Act::Receive(wait, again) => {
                if matches!(wait, Wait::For(_)) {
                    self.again.insert(me, again);
                }
                Op::Receive(wait)
            }
            Act::Spawn { .. } if count >= MAX_PROCESSES => Op::Yield,
            Act::Spawn {
                node: on,
                link,
                monitor,
            } => Op::Spawn {
                node: node(on),
                link,
                monitor: monitor.then(|| self.fresh(me)),
                alias: None,
                request: None,
            },
            Act::Request { .. } if count >= MAX_PROCESSES => Op::Yield,
            Act::Request {
                node: on,
                link,
                monitor,
                reply,
            } => {
                let reference = self.fresh(me);
                Op::Spawn {
                    node: node(on),
                    link,
                    monitor: monitor.then_some(reference),
                    alias: None,
                    request: Some(Request {
                        reference,
                        success: reply,
                        failure: reply,
                    }),
                }
            }
            Act::Abandon(which) => Op::Abandon(self.old(me, which)),
            Act::Look(other) => Op::Look((other % 5 > 0).then(|| process(other))),
            Act::Suspend(other, once) => Op::Suspend {
                process: process(other),
                once,
            },
            Act::Resume(other) => Op::Resume(process(other)),
            Act::Link(other) => Op::Link(process(other)),
            Act::Unlink(other) => Op::Unlink(process(other)),
            Act::Monitor(other, alias) => {
                let reference = self.fresh(me);
                self.aliases.extend(alias.map(|_| reference));
                Op::Monitor {
                    target: Target::Process(process(other)),
                    reference,
                    alias,
                }
            }
            Act::MonitorName(on, which) => Op::Monitor {
                target: Target::Name(node(on), name(which)),
                reference: self.fresh(me),
                alias: None,
            },
            Act::Demonitor(which) => Op::Demonitor(self.old(me, which)),
            Act::Alias(mode) => {
                let reference = self.fresh(me);
                self.aliases.push(reference);
                Op::Alias(reference, mode)
            }
            Act::Unalias(which) => Op::Unalias(self.old(me, which)),
            Act::Signal(to, class) => Op::Signal(process(to), class),
            Act::Exit(class) => Op::Exit(class),
            Act::TrapExit(on) => Op::TrapExit(on),
            Act::Register(which, other) => Op::Register(name(which), process(other)),
            Act::Unregister(which) => Op::Unregister(name(which)),
            Act::Whereis(which) => Op::Whereis(name(which)),
            Act::StartTimer(after, to) => {
                let target = Target::Process(process(to));
                Op::StartTimer {
                    after: after.into(),
                    target,
                    reference: self.fresh(me),
                }
            }
            Act::StartNameTimer(after, which) => {
                let target = Target::Name(home, name(which));
                Op::StartTimer {
                    after: after.into(),
                    target,
                    reference: self.fresh(me),
                }
            }
            Act::CancelTimer(which) => Op::CancelTimer(self.old(me, which)),
            Act::ReadTimer(which) => Op::ReadTimer(self.old(me, which)),
            Act::Access(object, write) => Op::Access {
                object: Object::Shared(object.into()),
                write,
            },
            Act::Yield => Op::Yield,
            Act::Partition(which, mode) => Op::Partition(groups(which), mode),
            Act::Heal => Op::Heal(Scope::All),
            Act::SetTickTime(time) => Op::SetTickTime(time.into()),
            Act::StopNode(which) => Op::StopNode(node(which)),
            Act::StartNode(which) => Op::StartNode {
                name: NODES[usize::from(which) % NODES.len()],
                connect: true,
            },
            Act::MonitorNode(which, lost, on) => Op::MonitorNode {
                node: node(which),
                lost,
                on,
            },
        }
    }
}

fn groups(which: u8) -> Vec<Vec<NodeId>> {
    match which % 4 {
        0 => vec![vec![A], vec![B, C]],
        1 => vec![vec![A, B], vec![C]],
        2 => vec![vec![A], vec![B]],
        _ => vec![vec![A], vec![B], vec![C]],
    }
}

impl Program for Interpreter {
    fn next(&mut self, me: ProcessId, grant: &Grant, simulation: &Simulation) -> Op {
        if me == support::MAIN_PROCESS && !self.prologue.is_empty() {
            return self.prologue.remove(0);
        }
        // A selective receive that none of these messages matches.
        if let (Grant::Items(_), Some(again)) = (grant, self.again.get_mut(&me)) {
            if *again > 0 {
                *again -= 1;
                return Op::Receive(Wait::Rest);
            }
        }
        self.again.remove(&me);
        let script = self.scripts[me.0 as usize % self.scripts.len()].clone();
        let left = self.left.entry(me).or_insert(script);
        if left.is_empty() {
            return Op::Exit(ExitClass::Normal);
        }
        let act = left.remove(0);
        self.op(me, &act, simulation)
    }
}
