//! Carrying out an announced operation, now that its turn has come.

use super::Simulation;
use super::aliases::Alias;
use super::connections::Way;
use crate::causality::Thing;
use crate::ids::{NodeId, ProcessId, RefId};
use crate::network::Content;
use crate::op::{AliasMode, ExitClass, Grant, Op, Refusal, Request, Target};
use crate::process::{Requested, State};
use crate::strategy::Object;
use crate::trace::Kind;

/// How the trace knows what was accessed.
fn number(object: Object) -> u64 {
    match object {
        Object::Shared(number) => number,
        Object::Table { table, entry } => (u64::from(table) << 32) | entry.map_or(0, |entry| u64::from(entry) + 1),
        _ => 0,
    }
}

impl Simulation {
    pub(super) fn perform(&mut self, me: ProcessId, op: Op) -> Grant {
        match op {
            Op::Start => self.told(me, Kind::Start, 0, 0, Grant::Done),
            // Looking on is no step: see `onlooker.rs`. Of any other process it is a pause.
            Op::Yield | Op::Watch(_) => self.told(me, Kind::Yield, 0, 0, Grant::Done),
            Op::Access { object, write } => {
                self.touch_object(object, write);
                self.told(me, Kind::Access, number(object), u64::from(write), Grant::Done)
            }
            Op::Send(target) => self.send(me, target),
            Op::SendIfConnected(target) => self.send_if_connected(me, target),
            Op::Weigh { bytes, suspend } => self.weigh(me, bytes, suspend),
            Op::Receive(wait) => self.receive(me, wait),
            Op::Spawn {
                node,
                link,
                monitor,
                alias,
                request,
            } => self.spawn(me, node, link, monitor, alias, request),
            Op::Abandon(reference) => self.abandon(me, reference),
            Op::Look(other) => self.look(me, other),
            Op::Lead(other) => self.lead(me, other),
            Op::Suspend { process, once } => self.suspend(me, process, once),
            Op::Resume(process) => self.resume(me, process),
            Op::Link(other) => self.link(me, other),
            Op::Unlink(other) => self.unlink(me, other),
            Op::Monitor {
                target,
                reference,
                alias,
            } => self.monitor(me, target, reference, alias),
            Op::Demonitor(reference) => self.demonitor(me, reference),
            Op::Alias(reference, mode) => self.alias(me, reference, mode),
            Op::Unalias(reference) => self.unalias(me, reference),
            Op::Signal(other, class) => self.signal(me, other, class),
            Op::Exit(class) => {
                self.event(Some(me), Kind::Exit, class as u64, 0);
                self.expect(me).state = State::Ending(class);
                Grant::Ended
            }
            Op::TrapExit(on) => {
                self.touch(Thing::Traps(me), true);
                self.causality.traps(me, on);
                let before = std::mem::replace(&mut self.expect(me).trap_exit, on);
                self.told(me, Kind::TrapExit, u64::from(on), 0, Grant::Bool(before))
            }
            Op::Register(name, process) => self.register(me, name, process),
            Op::Unregister(name) => self.unregister(me, name),
            Op::Whereis(name) => self.whereis(me, name),
            Op::StartTimer {
                after,
                target,
                reference,
            } => self.start_timer(me, after, target, reference),
            Op::CancelTimer(reference) => self.cancel_timer(me, reference),
            Op::ReadTimer(reference) => self.read_timer(me, reference),
            Op::Partition(groups, mode) => {
                self.touch(Thing::World, true);
                self.partition(me, &groups, mode)
            }
            op => self.perform_on_cluster(me, op),
        }
    }

    fn perform_on_cluster(&mut self, me: ProcessId, op: Op) -> Grant {
        self.touch(Thing::World, true);
        match op {
            Op::CutOneWay { from, to, mode } => self.cut_one_way(me, &from, &to, mode),
            Op::Heal(scope) => self.heal(me, scope),
            Op::Release { from, to } => self.release_messages(me, &from, &to),
            Op::SetLatency { between, latency } => self.set_latency(me, between, latency),
            Op::SetTickTime(time) => self.set_tick_time(me, time),
            Op::StopNode(node) => self.stop_node(me, node),
            Op::CrashNode { node, orderly } => self.crash_node(me, node, orderly),
            Op::StartNode { name, connect } => self.start_node(me, name, connect),
            Op::PauseNode(node, on) => self.pause_node(me, node, on),
            Op::Pause(process, time) => self.pause(me, process, time),
            Op::Configure(node, setting) => self.configure(me, node, setting),
            Op::Join(a, b) => self.join_nodes(me, a, b),
            Op::Connect(node, reference) => self.connect(me, node, reference),
            Op::Disconnect(from, node) => self.disconnect(me, from, node),
            Op::MonitorNode { node, lost, on } => self.monitor_node(me, node, lost, on),
            Op::MonitorNodes { subscription, on } => self.monitor_nodes(me, subscription, on),
            _ => unreachable!("the operations of a process are done elsewhere"),
        }
    }

    pub(super) fn told(&mut self, me: ProcessId, kind: Kind, object: u64, detail: u64, grant: Grant) -> Grant {
        self.event(Some(me), kind, object, detail);
        grant
    }

    fn send_if_connected(&mut self, me: ProcessId, target: Target) -> Grant {
        let (home, away) = (self.home(me), self.home_of(target));
        self.touch_way(home, away);
        if self.has_connection(home, away) {
            self.send(me, target)
        } else {
            self.told(me, Kind::Lost, 0, u64::MAX, Grant::Refused(Refusal::NodeDown))
        }
    }

    fn send(&mut self, me: ProcessId, target: Target) -> Grant {
        let home = self.home(me);
        let to = match target {
            Target::Name(node, name) if node == home => {
                self.touch(Thing::Name(node, name), false);
                match self.network.node(home).names.get(&name) {
                    Some(&process) => Target::Process(process),
                    None => return self.told(me, Kind::Lost, 0, u64::MAX, Grant::Refused(Refusal::BadName)),
                }
            }
            target => target,
        };
        let (node, receiver) = match to {
            Target::Process(process) => (self.home(process), Some(process).filter(|&process| self.alive(process))),
            Target::Alias(reference) => {
                self.touch(Thing::Watch(reference), false);
                match self.aliases.get(&reference) {
                    Some(alias) => (self.home(alias.owner), Some(alias.owner)),
                    None => (self.home_of(to), None),
                }
            }
            Target::Name(node, _) => return self.send_to_remote_name(me, node, to),
        };
        let id = self.next_message();
        let number = receiver.map_or(u64::MAX, |receiver| u64::from(receiver.0));
        if !self.can_send(home, node) {
            return self.told(me, Kind::Lost, id.0, number, Grant::Done);
        }
        if let Target::Process(process) = to {
            self.touch_receiver(me, process);
        }
        let Some(receiver) = receiver else {
            return self.told(me, Kind::Lost, id.0, u64::MAX, Grant::Done);
        };
        self.event(Some(me), Kind::Send, id.0, number);
        self.post(me, receiver, node, id, Content::Message(to), true);
        self.has_sent(me, node);
        Grant::Sent(receiver, id)
    }

    /// Who has the name is known only when the message arrives, so its term waits in the store.
    fn send_to_remote_name(&mut self, me: ProcessId, node: NodeId, to: Target) -> Grant {
        let id = self.next_message();
        if !self.can_send(self.home(me), node) {
            return self.told(me, Kind::Lost, id.0, u64::MAX, Grant::Done);
        }
        self.event(Some(me), Kind::Send, id.0, u64::MAX);
        self.post_to(me, to, node, id, Content::Message(to), true);
        self.has_sent(me, node);
        Grant::Parked(id)
    }

    fn spawn(
        &mut self,
        me: ProcessId,
        node: NodeId,
        link: bool,
        monitor: Option<RefId>,
        alias: Option<AliasMode>,
        request: Option<Request>,
    ) -> Grant {
        // A process that is asked for on another node begins when the wish arrives there.
        let far = self.home(me) != node && request.is_some();
        let reachable = if far {
            self.way(self.home(me), node) != Way::Closed
        } else {
            self.network.node(node).up
        };
        if !reachable {
            return self.told(me, Kind::Spawn, u64::MAX, 0, Grant::Spawned(None));
        }
        let state = if far { State::Unborn } else { State::Enabled(Op::Start) };
        let child = self.create(Some(me), node, state);
        let detail = u64::from(link) | (u64::from(monitor.is_some()) << 1) | (u64::from(request.is_some()) << 2);
        self.event(Some(me), Kind::Spawn, u64::from(child.0), detail);
        if link {
            self.expect(me).links.insert(child);
            self.expect(child).links.insert(me);
        }
        if let Some(reference) = monitor {
            self.watch(me, child, reference);
            if let Some(mode) = alias {
                self.aliases.insert(reference, Alias::new(me, mode));
            }
        }
        match request {
            Some(request) => self.request(me, child, request),
            None => Grant::Spawned(Some(child)),
        }
    }

    /// The answer is the first signal of the new process, so that no other can come before it.
    fn request(&mut self, me: ProcessId, child: ProcessId, request: Request) -> Grant {
        let Request {
            reference,
            success: reply,
            failure,
        } = request;
        let (id, node) = (self.next_message(), self.home(child));
        self.expect(me)
            .requests
            .insert(reference, Requested { child, id, failure });
        if self.home(me) == node {
            let content = Content::Spawned {
                reference,
                to: me,
                reply,
            };
            self.deliver(child, id, content);
        } else {
            let content = Content::Birth {
                child,
                parent: me,
                reference,
                reply,
                answer: id,
            };
            let birth = self.next_message();
            self.post(me, child, node, birth, content, true);
            self.has_sent(me, node);
        }
        Grant::Requested(child, id)
    }

    /// The process that was asked for, if it has been started, gets no parent: one that was to be linked is told to go.
    fn abandon(&mut self, me: ProcessId, reference: RefId) -> Grant {
        self.touch(Thing::World, true);
        let child = self.expect(me).requests.remove(&reference);
        self.event(Some(me), Kind::Abandon, reference.0, u64::from(child.is_some()));
        let Some(Requested { child, .. }) = child else {
            return Grant::Bool(false);
        };
        self.unwatch(me, reference);
        let linked = self.expect(me).links.remove(&child);
        if let Some(entry) = self.living(child) {
            entry.links.remove(&me);
        }
        if !linked || !self.alive(child) {
            return Grant::Bool(true);
        }
        let id = self.next_message();
        let content = Content::Exit {
            from: me,
            to: child,
            link: false,
            class: ExitClass::Crash,
        };
        self.post(me, child, self.home(child), id, content, true);
        self.has_sent(me, self.home(child));
        Grant::Sent(child, id)
    }

    fn look(&mut self, me: ProcessId, other: Option<ProcessId>) -> Grant {
        match other {
            Some(other) => {
                self.arrive_all(me, other);
                self.touch_looked_at(me, other);
            }
            None => self.touch(Thing::World, true),
        }
        let number = other.map_or(u64::MAX, |other| u64::from(other.0));
        self.told(me, Kind::Look, number, 0, Grant::Done)
    }

    fn lead(&mut self, me: ProcessId, other: ProcessId) -> Grant {
        self.touch(Thing::World, true);
        let id = self.next_message();
        self.event(Some(me), Kind::Lead, id.0, u64::from(other.0));
        let away = self.home(other);
        if self.way(self.home(me), away) != Way::Closed && self.alive(other) {
            self.post(me, other, away, id, Content::Leader { to: other }, true);
        }
        Grant::Parked(id)
    }

    fn signal(&mut self, me: ProcessId, to: ProcessId, class: ExitClass) -> Grant {
        let id = self.next_message();
        self.event(Some(me), Kind::Signal, u64::from(to.0), class as u64);
        self.touch_way(self.home(me), self.home(to));
        if self.way(self.home(me), self.home(to)) == Way::Closed {
            return Grant::Done;
        }
        let there = self.alive(to);
        if self.apart(me, to) {
            self.touch(Thing::Life(to), false);
        } else if !there {
            self.touch_exit(me, to, false, class);
        }
        if !there {
            return Grant::Done;
        }
        let content = Content::Exit {
            from: me,
            to,
            link: false,
            class,
        };
        self.post(me, to, self.home(to), id, content, true);
        self.has_sent(me, self.home(to));
        Grant::Sent(to, id)
    }
}
