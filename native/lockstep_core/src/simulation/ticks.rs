//! Ticks: how a node notices that it hears nothing of another, and gives up their connection.
//!
//! No ticks are exchanged: when a direction goes silent, the time at which the deaf side notices follows from when each
//! node ticks and when something last arrived.

use super::Simulation;
use super::due::Due;
use crate::clock::Micros;
use crate::connection::End;
use crate::ids::NodeId;
use crate::op::{DownReason, PartitionMode, SystemReason};
use crate::trace::Kind;

impl Simulation {
    /// Nothing has been heard for the tick time.
    pub(super) fn tick(&mut self, at: NodeId, other: NodeId) {
        let side = self.network.connections.side_mut(at, other);
        side.tick = None;
        let End::Up { number, .. } = side.end else { return };
        self.event(None, Kind::Tick, u64::from(at.0), u64::from(other.0));
        self.close_end(at, other, DownReason::NetTickTimeout, SystemReason::Noconnection);
        self.announce_close(at, other, number);
    }

    /// Sets when a node gives another up, if it hears nothing of it; otherwise it does not.
    pub(super) fn review_tick(&mut self, at: NodeId, other: NodeId) {
        let now = self.clock.now();
        let due = self.silence(at, other);
        let side = self.network.connections.side_mut(at, other);
        if let Some(tick) = side.tick.take() {
            self.clock.cancel(tick);
            side.heard = if due.is_none() { now } else { side.heard };
        }
        let side = self.network.connections.side_mut(at, other);
        if let (Some(due), End::Up { .. }) = (due, side.end) {
            side.tick = Some(self.clock.set(due.max(now), Due::Tick(at, other)));
        }
    }

    /// When silence is noticed, if there is silence.
    fn silence(&mut self, at: NodeId, other: NodeId) -> Option<Micros> {
        if self.network.node(at).paused.is_some() {
            return None;
        }
        let cut = self.network.connections.cut(other, at).copied();
        match cut.filter(|cut| cut.mode != PartitionMode::Hold) {
            Some(cut) if cut.mode == PartitionMode::Tcp => Some(self.tick_timeout(at, other, cut.since)),
            Some(cut) => Some(cut.since.saturating_add(self.tick_time)),
            None => {
                let since = self.network.node(other).paused?;
                Some(self.tick_timeout(at, other, since))
            }
        }
    }

    /// When a node gives up another of which nothing comes since `since`.
    ///
    /// A node ticks at fixed times, and writes then only if it has written nothing since the tick before. A connection is
    /// given up at the tick that is the whole tick time after the first one that saw nothing new (`dist_util.erl`).
    fn tick_timeout(&mut self, at: NodeId, other: NodeId, since: Micros) -> Micros {
        let (_, their_period, their_phase) = self.ticks_of(other);
        let (time, period, phase) = self.ticks_of(at);
        let heard = self.network.connections.side(at, other).map_or(0, |side| side.heard);
        let last_tick = last_before(since, their_period, their_phase);
        let last_byte = if heard.saturating_add(their_period) > last_tick {
            heard
        } else {
            last_tick
        };
        first_after(last_byte, period, phase).saturating_add(time).max(since)
    }

    /// A node's tick time, how long it is from tick to tick, and when it ticks.
    fn ticks_of(&mut self, node: NodeId) -> (Micros, Micros, Micros) {
        let entry = self.network.node(node);
        let time = entry.tick_time.unwrap_or(self.net_tick_time);
        let period = (time / entry.tick_intensity).max(1);
        let phase = match entry.phase {
            Some(phase) => phase,
            None => self.choices.latency(period - 1),
        };
        self.network.node_mut(node).phase = Some(phase);
        (time, period, phase % period)
    }
}

fn last_before(time: Micros, period: Micros, phase: Micros) -> Micros {
    match time.checked_sub(phase) {
        Some(since) => phase + since / period * period,
        None => 0,
    }
}

fn first_after(time: Micros, period: Micros, phase: Micros) -> Micros {
    phase + time.saturating_sub(phase).div_ceil(period) * period
}
