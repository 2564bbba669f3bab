//! Carrying out an announced operation, now that its turn has come.

use super::Simulation;
use crate::causality::Thing;
use crate::ids::ProcessId;
use crate::op::{Grant, Op};
use crate::process::State;
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
}
