//! What each event touches, for [`Causality`](crate::causality::Causality), and who chooses among the events where all
//! interleavings are run.

use super::{Outcome, Ready, Simulation};
use crate::causality::{Cause, Thing};
use crate::choices::Decision;
use crate::clock::Micros;
use crate::explorer::{Choice, Explorer};
use crate::ids::{MAIN, NodeId, ProcessId, RefId};
use crate::network::Network;
use crate::op::{ExitClass, Op, Target};
use crate::process::{Process, State};
use crate::strategy::{Actor, Lineage, Object};

/// An event of the network: what connects, and what closes.
const NETWORK: Lineage = Lineage(13);

impl Simulation {
    pub(super) fn touch(&mut self, thing: Thing, write: bool) {
        self.causality.touch(thing, write);
    }

    /// What the BEAM side announces to touch.
    pub(super) fn touch_object(&mut self, object: Object, write: bool) {
        let thing = match object {
            Object::Local => return,
            Object::Process(process) => Thing::Mailbox(process),
            Object::Name(node, name) => Thing::Name(NodeId(node), crate::ids::Symbol(name)),
            Object::Shared(number) => Thing::Shared(number),
            Object::Table { table, entry } => Thing::Table { table, entry },
            Object::World => Thing::World,
        };
        self.touch(thing, write || thing == Thing::World);
    }

    /// An event is about to happen. To take from the mailbox what has arrived is none: it does not matter when that is
    /// done, and belongs to whatever enabled it.
    pub(super) fn begin_event(&mut self, ready: Ready) {
        match ready {
            Ready::Run(process) => {
                let polls = match self.get(process).map(|entry| &entry.state) {
                    Some(State::Enabled(Op::Receive(wait))) => {
                        if !self.is_up(process, *wait) {
                            return;
                        }
                        true
                    }
                    _ => false,
                };
                self.causality.begin_of(process, self.family.lineage(process));
                if polls {
                    self.touch(Thing::Mailbox(process), false);
                }
            }
            Ready::Deliver(key) => {
                let channel = self.network.channels.get(&key);
                if let Some(&packet) = channel.and_then(|channel| channel.packets.front()) {
                    self.causality.begin(Actor::Channel(key.from, key.to), packet.cause);
                    // Then what is delivered lets others be delivered.
                    if self.config.node_order && Network::wired(packet.from, packet.to) {
                        self.touch(Thing::World, true);
                    }
                }
            }
            Ready::Fire(reference) => {
                if let Some(timer) = self.timers.get(&reference) {
                    self.causality.begin(Actor::Timer(reference), timer.cause);
                }
            }
            Ready::Connect(pair) => {
                let [a, b] = pair.ends();
                self.begin_network_event(Actor::SetUp(a, b));
            }
            Ready::Close(at, other) => self.begin_network_event(Actor::Close(at, other)),
        }
    }

    fn begin_network_event(&mut self, actor: Actor) {
        let cause = Cause {
            identity: NETWORK,
            step: crate::journal::NOWHERE,
        };
        self.causality.begin(actor, cause);
        self.touch(Thing::World, true);
    }

    /// What is sent by the event that is happening comes after it.
    pub(super) fn cause(&self, to: Target) -> Cause {
        self.causality.cause(self.view().address(to))
    }

    /// The same for a timer.
    pub(super) fn timer_cause(&self, reference: RefId) -> Cause {
        self.causality.cause(Lineage(reference.0 & 0xFFFF_FFFF))
    }

    /// The end of a process, and of what ends with it.
    pub(super) fn touch_end(&mut self, me: ProcessId, process: &Process) {
        self.touch(Thing::Life(me), true);
        if process.owner {
            self.touch(Thing::World, true);
        }
        if let Some(name) = process.name {
            self.touch(Thing::Name(process.node, name), true);
        }
        for &timer in &process.timers {
            self.touch(Thing::Timer(timer), true);
        }
        for &suspended in process.suspending.keys() {
            self.touch(Thing::Acts(suspended), true);
        }
        // Whether they are told of each other depends on who ends first. One that has ended already has seen to that.
        let watched = process.watching.values().filter_map(|&target| match target {
            Target::Process(process) => Some(process),
            Target::Name(..) | Target::Alias(_) => None,
        });
        for other in process
            .links
            .iter()
            .chain(process.watched_by.values())
            .copied()
            .chain(watched)
        {
            if self.alive(other) {
                self.touch(Thing::Life(other), false);
            }
        }
    }

    /// What `process_info` and the like may tell.
    pub(super) fn touch_looked_at(&mut self, me: ProcessId, other: ProcessId) {
        self.touch(Thing::Life(other), false);
        self.touch(Thing::Mailbox(other), false);
        if me != other {
            self.touch(Thing::Acts(other), true);
        }
    }

    /// Whom a monitor finds.
    pub(super) fn touch_watched(&mut self, target: Target) {
        if let Target::Name(node, name) = target {
            self.touch(Thing::Name(node, name), false);
        }
        if let Some(process) = self.receiver(target) {
            self.touch(Thing::Life(process), false);
        }
    }

    /// A process is stopped, whatever it was about to do, and whatever would have let it go on.
    pub(super) fn touch_stopped(&mut self, process: ProcessId) {
        self.touch(Thing::Acts(process), true);
        self.touch(Thing::Mailbox(process), true);
    }

    /// An exit signal arrives. What it touches is the same whether or not its receiver still lives, or is still linked.
    pub(super) fn touch_exit(&mut self, from: ProcessId, to: ProcessId, link: bool, class: ExitClass) {
        if link {
            self.touch(Thing::tie(from, to), true);
        }
        self.touch(Thing::Traps(to), false);
        let traps = self.causality.trapped(to);
        if (class == ExitClass::Kill && !link) || (class != ExitClass::Normal && !traps) {
            self.touch_stopped(to);
            self.touch(Thing::Life(to), true);
        } else if traps {
            self.touch(Thing::Mailbox(to), true);
        }
    }

    /// Something between two nodes that does not go its usual way: the connection is not there, or takes no more.
    pub(super) fn touch_way(&mut self, from: NodeId, to: NodeId) {
        if Network::wired(from, to) && !self.network.connected(from, to) {
            self.touch(Thing::World, true);
        }
    }

    /// Whom something is sent to: it arrives at once, or is under way if the receiver lives.
    pub(super) fn touch_receiver(&mut self, me: ProcessId, to: ProcessId) {
        if self.apart(me, to) {
            self.touch(Thing::Life(to), false);
        } else {
            self.touch(Thing::Mailbox(to), true);
        }
    }

    pub(super) fn touch_target(&mut self, target: Target) {
        match target {
            Target::Process(process) => self.touch(Thing::Mailbox(process), true),
            Target::Name(node, name) => self.touch(Thing::Name(node, name), false),
            Target::Alias(reference) => self.touch(Thing::Watch(reference), true),
        }
    }

    /// A hash of the order of all events that conflict: the same for all schedules that differ only in the order of
    /// others.
    pub fn interleaving(&mut self) -> u64 {
        self.causality.hash()
    }

    /// Lets an explorer choose what happens, from the start of the run.
    pub fn explore(&mut self, mut explorer: Explorer) {
        self.causality.keep(explorer.start());
        self.explorer = Some(Box::new(explorer));
    }

    /// The explorer, which learns from the run that is over.
    pub fn explored(&mut self) -> Option<Explorer> {
        let mut explorer = *self.explorer.take()?;
        if let Some(journal) = self.causality.take_journal() {
            explorer.stop(journal);
        }
        Some(explorer)
    }

    /// Whether an explorer chooses.
    pub fn is_explored(&self) -> bool {
        self.explorer.is_some()
    }

    /// A process goes on because of what is at this place among what it has fetched, and takes it or leaves it there. Not
    /// a step.
    pub fn took(&mut self, process: ProcessId, place: usize, take: bool) {
        self.causality.took(process, place, take);
    }

    /// What happens next if all interleavings are run: whoever has got what it waits for takes it at once. The main
    /// process ends when nothing else can happen, if the run ends with it: nobody can see the difference.
    pub(super) fn choose_new(&mut self, max_stall: Micros) -> Option<Decision> {
        let count = self.queue.len();
        if let Some(index) = self.queue.iter().position(|ready| self.only_takes(ready)) {
            return Some(self.choices.decided(index, count, max_stall));
        }
        let view = self.view();
        let last = |index: usize| count > 1 && self.ends_the_run(self.queue[index]);
        let places: Vec<usize> = (0..count).filter(|&index| !last(index)).collect();
        let actors: Vec<Actor> = places.iter().map(|&index| view.actor_of(self.queue[index])).collect();
        if places.iter().any(|&index| self.ends_the_run(self.queue[index])) {
            self.causality.comes_last();
        }
        let (explorer, journal) = (self.explorer.as_mut()?, self.causality.journal()?);
        match explorer.choose(&actors, journal) {
            Choice::Go(index) => Some(self.choices.decided(places[index], count, max_stall)),
            Choice::Seen => {
                self.outcome = Some(Outcome::Abandoned);
                None
            }
            Choice::Strange => {
                self.outcome = Some(Outcome::Strange);
                None
            }
        }
    }

    fn only_takes(&self, ready: Ready) -> bool {
        let Ready::Run(process) = ready else { return false };
        match self.get(process).map(|entry| &entry.state) {
            Some(State::Enabled(Op::Receive(wait))) => !self.is_up(process, *wait),
            _ => false,
        }
    }

    fn ends_the_run(&self, ready: Ready) -> bool {
        let goes_on = self.config.quiescence || self.config.fail_on_blocked;
        let exits = |entry: &Process| matches!(entry.state, State::Enabled(Op::Exit(_)));
        ready == Ready::Run(MAIN) && !goes_on && self.get(MAIN).is_some_and(exits)
    }
}
