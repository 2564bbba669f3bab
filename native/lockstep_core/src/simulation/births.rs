//! How processes come to be: at once where they are started, and by a signal where they are asked for on another node.
//!
//! A process is there as soon as it is asked for, so that its parent can be told its number; on another node it is
//! unborn until the wish has arrived.

use super::Simulation;
use super::aliases::Alias;
use super::connections::Way;
use crate::causality::Thing;
use crate::ids::{MessageId, NodeId, ProcessId, RefId};
use crate::network::Content;
use crate::op::{AliasMode, Death, ExitClass, Grant, Item, Op, Request, SystemReason};
use crate::process::{Requested, State};
use crate::trace::Kind;

impl Simulation {
    pub(super) fn spawn(
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
    pub(super) fn abandon(&mut self, me: ProcessId, reference: RefId) -> Grant {
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

    /// A process that was asked for begins.
    pub(super) fn deliver_birth(
        &mut self,
        child: ProcessId,
        parent: ProcessId,
        reference: RefId,
        reply: bool,
        answer: MessageId,
    ) {
        if self.get(child).is_none_or(|entry| entry.state != State::Unborn) {
            return;
        }
        self.touch(Thing::Acts(child), true);
        self.causality.enabled(child);
        self.release(child, Op::Start);
        let content = Content::Spawned {
            reference,
            to: parent,
            reply,
        };
        self.post(child, parent, self.home(parent), answer, content, false);
    }

    pub(super) fn deliver_spawned(
        &mut self,
        child: ProcessId,
        id: MessageId,
        reference: RefId,
        to: ProcessId,
        reply: bool,
    ) {
        let Some(entry) = self.living(to) else { return };
        if entry.requests.remove(&reference).is_none() || !self.alive(to) {
            return;
        }
        if self.apart(child, to) {
            self.event(Some(to), Kind::Spawned, id.0, u64::from(child.0));
        }
        if reply {
            self.drop_in(to, Item::Term(id));
        }
    }

    /// A process that was asked for is never started. Its real counterpart is there already, and has to go.
    pub(super) fn stillborn(&mut self, child: ProcessId) {
        if let Some(entry) = self.living(child) {
            entry.links.clear();
            entry.watched_by.clear();
            self.kill(child, Death::System(SystemReason::Noconnection), ExitClass::Normal);
        }
    }
}
