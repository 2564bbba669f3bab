//! What a strategy sees of the run when it is to choose: the events that can happen, who acts in each and upon what.
//!
//! A view borrows the parts of the run that it shows, and not the whole: the strategy is a part of that, too.

use std::collections::BTreeMap;

use super::aliases::Alias;
use super::family::Family;
use super::queue::Queue;
use super::timers::Timer;
use super::{Ready, Simulation, UPCOMING};
use crate::choices::Decision;
use crate::clock::Micros;
use crate::ids::{ProcessId, RefId};
use crate::network::{ChannelKey, Content, Network};
use crate::op::{Op, Target, Wait};
use crate::process::{Process, State};
use crate::strategy::{Actor, Candidate, CandidateView, Candidates, Lineage, Object};
use crate::symbols::Symbols;

/// The queue as a strategy sees it.
#[derive(Debug)]
pub(super) struct View<'a> {
    queue: &'a Queue,
    processes: &'a [Option<Box<Process>>],
    pub(super) network: &'a Network,
    aliases: &'a BTreeMap<RefId, Alias>,
    timers: &'a BTreeMap<RefId, Timer>,
    pub(super) family: &'a Family,
    pub(super) symbols: &'a Symbols,
    now: Micros,
    step: u64,
}

impl CandidateView for View<'_> {
    fn candidate(&self, index: usize) -> Candidate {
        match self.queue[index] {
            Ready::Run(process) => {
                let (object, write) = self.access(process);
                Candidate {
                    process: Some(process),
                    object,
                    write,
                }
            }
            Ready::Deliver(key) => Candidate {
                process: None,
                object: self.delivery(key),
                write: true,
            },
            Ready::Fire(reference) => Candidate {
                process: None,
                object: self.timer(reference),
                write: true,
            },
            Ready::Connect(_) | Ready::Close(..) => Candidate {
                process: None,
                object: Object::World,
                write: true,
            },
        }
    }

    fn actor(&self, index: usize) -> Actor {
        self.actor_of(self.queue[index])
    }

    fn lineage(&self, index: usize) -> Lineage {
        self.lineage_of(self.actor(index))
    }

    fn parent(&self, index: usize) -> Option<Lineage> {
        self.parent_of(self.actor(index))
    }

    fn identity(&self, object: Object) -> Lineage {
        self.identity_of(object)
    }

    fn receives(&self, index: usize) -> bool {
        let Ready::Run(process) = self.queue[index] else {
            return false;
        };
        let entry = self.processes[process.0 as usize].as_deref();
        entry.is_some_and(|entry| matches!(entry.state, State::Enabled(Op::Receive(_))))
    }

    fn step(&self) -> u64 {
        self.step
    }

    fn changes(&self, since: u64) -> Option<(&[u32], u64)> {
        self.queue.changes(since)
    }

    fn changed(&self) -> u64 {
        self.queue.changed()
    }

    fn slot(&self, index: usize) -> u32 {
        self.queue.slot(index)
    }

    fn stamp(&self, slot: u32) -> i64 {
        self.queue.stamp(slot)
    }

    fn index(&self, slot: u32) -> Option<usize> {
        self.queue.index(slot)
    }

    /// Neither names, aliases and timers nor the time, mailboxes and who owns something decide what it is.
    fn lasts(&self, index: usize) -> bool {
        match self.queue[index] {
            Ready::Run(process) => match self.processes[process.0 as usize].as_deref().map(|entry| &entry.state) {
                Some(State::Enabled(op)) => op.lasts(),
                _ => false,
            },
            Ready::Connect(_) | Ready::Close(..) => true,
            Ready::Deliver(_) | Ready::Fire(_) => false,
        }
    }
}

impl View<'_> {
    pub(super) fn actor_of(&self, ready: Ready) -> Actor {
        match ready {
            Ready::Run(process) => Actor::Process(process),
            Ready::Deliver(key) => Actor::Channel(key.from, key.to),
            Ready::Fire(reference) => Actor::Timer(reference),
            Ready::Connect(pair) => {
                let [a, b] = pair.ends();
                Actor::SetUp(a, b)
            }
            Ready::Close(at, other) => Actor::Close(at, other),
        }
    }

    fn access(&self, process: ProcessId) -> (Object, bool) {
        let Some(Process {
            state: State::Enabled(op),
            node,
            inbox,
            receive_until,
            ..
        }) = self.processes[process.0 as usize].as_deref()
        else {
            return (Object::World, true);
        };
        match *op {
            Op::Send(target) | Op::SendIfConnected(target) | Op::Monitor { target, .. } => (self.object(target), true),
            Op::CancelTimer(reference) => (self.timer(reference), true),
            Op::ReadTimer(reference) => (self.timer(reference), false),
            Op::Register(name, _) | Op::Unregister(name) => (self.object(Target::Name(*node, name)), true),
            Op::Whereis(name) => (self.object(Target::Name(*node, name)), false),
            Op::Exit(_) => (self.end(process), true),
            Op::Signal(other, _) => (self.end(other), true),
            // Its time is up: whatever arrives first decides whether it times out.
            Op::Receive(Wait::Rest | Wait::For(_) | Wait::Lazily(_))
                if inbox.is_empty() && receive_until.is_some_and(|until| until <= self.now) =>
            {
                (Object::Process(process), true)
            }
            ref op => op.access(process, *node),
        }
    }

    /// What a process that ends, or may be made to, takes with it.
    fn end(&self, process: ProcessId) -> Object {
        match self.processes[process.0 as usize].as_deref() {
            Some(Process { owner: true, .. }) => Object::World,
            _ => Object::Process(process),
        }
    }

    fn delivery(&self, key: ChannelKey) -> Object {
        match (self.object(key.to), key.to) {
            (Object::Process(process), Target::Process(_)) if self.is_exit(key) => self.end(process),
            (object, _) => object,
        }
    }

    fn is_exit(&self, key: ChannelKey) -> bool {
        let channel = self.network.channels.get(&key);
        let first = channel.and_then(|channel| channel.packets.front());
        first.is_some_and(|packet| matches!(packet.content, Content::Exit { .. }))
    }

    /// What is reached under an address. As long as a process has a name, the name stands for the process, so that what
    /// reaches it by name conflicts with what reaches it by pid.
    fn object(&self, target: Target) -> Object {
        match target {
            Target::Process(process) => Object::Process(process),
            Target::Name(node, name) => match self.network.node(node).names.get(&name) {
                Some(&process) => Object::Process(process),
                None => Object::Name(node.0, name.0),
            },
            Target::Alias(reference) => match self.aliases.get(&reference) {
                Some(alias) => Object::Process(alias.owner),
                None => Object::Local,
            },
        }
    }

    fn timer(&self, reference: RefId) -> Object {
        self.timers
            .get(&reference)
            .map_or(Object::Local, |timer| self.object(timer.target))
    }
}

/// A macro and no method: that would borrow the choices, too, which change by what is chosen.
macro_rules! view {
    ($run:expr) => {
        View {
            queue: &$run.queue,
            processes: &$run.processes,
            network: &$run.network,
            aliases: &$run.aliases,
            timers: &$run.timers,
            family: &$run.family,
            symbols: &$run.symbols,
            now: $run.clock.now(),
            step: $run.steps + 1,
        }
    };
}

impl Simulation {
    /// What a strategy sees now.
    pub(super) fn view(&self) -> View<'_> {
        view!(self)
    }

    /// What happens next; none if that ends the run.
    pub(super) fn choose(&mut self) -> Option<Decision> {
        let (due_soon, max_stall) = self.stall_limit();
        if self.explorer.is_some() {
            return self.choose_new(max_stall);
        }
        let view = view!(self);
        let upcoming = || self.clock.upcoming(max_stall, UPCOMING);
        let candidates = Candidates::new(&view, view.queue.len(), due_soon);
        Some(self.choices.next(&candidates, max_stall, upcoming))
    }
}
