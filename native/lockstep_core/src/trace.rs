//! What happened in a run: a rolling hash of every run, and the events themselves of a recorded one.

use serde::Serialize;

use crate::clock::Micros;
use crate::ids::{NodeId, ProcessId};

/// The version of the trace file's format, its first field.
pub const TRACE_VERSION: u32 = 2;

/// The name of what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Kind {
    Start,
    Send,
    Lost,
    Deliver,
    Receive,
    Timeout,
    Spawn,
    Link,
    Unlink,
    Monitor,
    Demonitor,
    Alias,
    Unalias,
    Signal,
    Exit,
    TrapExit,
    Register,
    Unregister,
    Whereis,
    StartTimer,
    CancelTimer,
    ReadTimer,
    Fire,
    Access,
    Yield,
    Stall,
    Killed,
    Partition,
    Heal,
    Tick,
    SetTickTime,
    StopNode,
    StartNode,
    MonitorNode,
    Down,
    ExitSignal,
    Spawned,
    Abandon,
    Look,
    Suspend,
    Resume,
    Connect,
    Connected,
    Refused,
    Disconnect,
    Disconnected,
    MonitorNodes,
    Cut,
    Release,
    SetLatency,
    CrashNode,
    PauseNode,
    Pause,
    Configure,
    Join,
    Linked,
    Watched,
    Unlinked,
    Lead,
    Led,
    Busy,
}

impl Kind {
    /// All kinds, in their order.
    pub const ALL: [Kind; 61] = [
        Kind::Start,
        Kind::Send,
        Kind::Lost,
        Kind::Deliver,
        Kind::Receive,
        Kind::Timeout,
        Kind::Spawn,
        Kind::Link,
        Kind::Unlink,
        Kind::Monitor,
        Kind::Demonitor,
        Kind::Alias,
        Kind::Unalias,
        Kind::Signal,
        Kind::Exit,
        Kind::TrapExit,
        Kind::Register,
        Kind::Unregister,
        Kind::Whereis,
        Kind::StartTimer,
        Kind::CancelTimer,
        Kind::ReadTimer,
        Kind::Fire,
        Kind::Access,
        Kind::Yield,
        Kind::Stall,
        Kind::Killed,
        Kind::Partition,
        Kind::Heal,
        Kind::Tick,
        Kind::SetTickTime,
        Kind::StopNode,
        Kind::StartNode,
        Kind::MonitorNode,
        Kind::Down,
        Kind::ExitSignal,
        Kind::Spawned,
        Kind::Abandon,
        Kind::Look,
        Kind::Suspend,
        Kind::Resume,
        Kind::Connect,
        Kind::Connected,
        Kind::Refused,
        Kind::Disconnect,
        Kind::Disconnected,
        Kind::MonitorNodes,
        Kind::Cut,
        Kind::Release,
        Kind::SetLatency,
        Kind::CrashNode,
        Kind::PauseNode,
        Kind::Pause,
        Kind::Configure,
        Kind::Join,
        Kind::Linked,
        Kind::Watched,
        Kind::Unlinked,
        Kind::Lead,
        Kind::Led,
        Kind::Busy,
    ];

    /// Whether this happens to its process, which does nothing itself.
    fn befalls(self) -> bool {
        matches!(
            self,
            Kind::Deliver
                | Kind::Fire
                | Kind::Down
                | Kind::ExitSignal
                | Kind::Spawned
                | Kind::Linked
                | Kind::Watched
                | Kind::Unlinked
                | Kind::Led
        )
    }

    /// The name in a trace.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Start => "start",
            Kind::Send => "send",
            Kind::Lost => "lost",
            Kind::Deliver => "deliver",
            Kind::Receive => "receive",
            Kind::Timeout => "timeout",
            Kind::Spawn => "spawn",
            Kind::Link => "link",
            Kind::Unlink => "unlink",
            Kind::Monitor => "monitor",
            Kind::Demonitor => "demonitor",
            Kind::Alias => "alias",
            Kind::Unalias => "unalias",
            Kind::Signal => "signal",
            Kind::Exit => "exit",
            Kind::TrapExit => "trap_exit",
            Kind::Register => "register",
            Kind::Unregister => "unregister",
            Kind::Whereis => "whereis",
            Kind::StartTimer => "start_timer",
            Kind::CancelTimer => "cancel_timer",
            Kind::ReadTimer => "read_timer",
            Kind::Fire => "fire",
            Kind::Access => "access",
            Kind::Yield => "yield",
            Kind::Stall => "stall",
            Kind::Killed => "killed",
            Kind::Partition => "partition",
            Kind::Heal => "heal",
            Kind::Tick => "tick",
            Kind::SetTickTime => "set_tick_time",
            Kind::StopNode => "stop_node",
            Kind::StartNode => "start_node",
            Kind::MonitorNode => "monitor_node",
            Kind::Down => "down",
            Kind::ExitSignal => "exit_signal",
            Kind::Spawned => "spawned",
            Kind::Abandon => "abandon",
            Kind::Look => "look",
            Kind::Suspend => "suspend",
            Kind::Resume => "resume",
            Kind::Connect => "connect",
            Kind::Connected => "connected",
            Kind::Refused => "refused",
            Kind::Disconnect => "disconnect",
            Kind::Disconnected => "disconnected",
            Kind::MonitorNodes => "monitor_nodes",
            Kind::Cut => "cut",
            Kind::Release => "release",
            Kind::SetLatency => "set_latency",
            Kind::CrashNode => "crash_node",
            Kind::PauseNode => "pause_node",
            Kind::Pause => "pause",
            Kind::Configure => "configure",
            Kind::Join => "join",
            Kind::Linked => "linked",
            Kind::Watched => "watched",
            Kind::Unlinked => "unlinked",
            Kind::Lead => "lead",
            Kind::Led => "led",
            Kind::Busy => "busy",
        }
    }
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Which step of the run, from 1.
    pub step: u64,
    /// When, in virtual microseconds.
    pub time: Micros,
    /// Who did it; none where the network or the clock acts.
    pub process: Option<ProcessId>,
    /// On which node.
    pub node: Option<NodeId>,
    /// What.
    pub kind: Kind,
    /// Upon what: a number whose meaning depends on the kind.
    pub object: u64,
    /// A second such number.
    pub detail: u64,
    /// A digest of the terms involved, as the BEAM side gave it.
    pub digest: u64,
    /// The event in words, as the BEAM side gave it.
    pub text: String,
    /// Where in the program it was asked for, as the BEAM side gave it.
    pub place: Option<Place>,
}

/// A place in the program's source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file, relative to the project.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

/// The events of a run and their rolling hash.
#[derive(Debug, Default)]
pub struct Trace {
    hash: u64,
    events: Option<Vec<Event>>,
}

impl Trace {
    /// A trace that keeps its events only if `record`.
    pub fn new(record: bool) -> Self {
        Trace {
            hash: 0,
            events: record.then(Vec::new),
        }
    }

    /// The hash of all events so far. Two runs with the same hash took the same schedule.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The events; empty unless recorded.
    pub fn events(&self) -> &[Event] {
        self.events.as_deref().unwrap_or_default()
    }

    /// Whether events are kept.
    pub fn recording(&self) -> bool {
        self.events.is_some()
    }

    /// Puts the last event of `process` into words, with a digest of the terms involved and where it was asked for.
    pub fn note(&mut self, process: ProcessId, text: String, digest: u64, place: Option<Place>) {
        let mut latest = self.events.iter_mut().flatten().rev();
        if let Some(event) = latest.find(|event| event.process == Some(process) && !event.kind.befalls()) {
            event.text = text;
            event.digest = digest;
            event.place = place;
        }
    }

    /// Adds an event. Words, digest and place do not count for the hash, which must be the same whether recorded or not.
    #[inline]
    pub fn push(&mut self, event: Event) {
        self.mix(event.time);
        let process = event.process.map_or(u64::MAX, |process| u64::from(process.0));
        self.mix((process << 8) | event.kind as u64);
        self.mix(event.object);
        self.mix(event.detail);
        if let Some(events) = &mut self.events {
            events.push(event);
        }
    }

    /// Multiply and rotate, with an odd constant (the golden ratio): cheap, and the same on every machine.
    fn mix(&mut self, value: u64) {
        self.hash = (self.hash ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    }
}
