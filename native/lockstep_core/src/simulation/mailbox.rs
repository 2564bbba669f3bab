//! Mailboxes: what has arrived for a process, and how it waits for more.
//!
//! What lies there is taken without a choice; when something arrives, and whether that is in time, are choices.

use super::due::Due;
use super::{Misuse, Next, Simulation};
use crate::causality::Thing;
use crate::ids::ProcessId;
use crate::op::{Grant, Item, Op, Wait};
use crate::process::{Process, State};
use crate::trace::Kind;

impl Simulation {
    /// Begins to wait; answers at once where there is nothing to wait for.
    pub(super) fn wait(&mut self, me: ProcessId, wait: Wait) -> Option<Next> {
        let now = self.clock.now();
        let process = self.expect(me);
        match wait {
            Wait::Forever => process.receive_until = None,
            Wait::Lazily(time) => process.receive_until = Some(now.saturating_add(time)),
            Wait::For(time) => process.receive_until = Some(now.saturating_add(time)),
            Wait::Poll => process.receive_until = Some(now),
            Wait::Rest | Wait::Expired => {}
        }
        // What has come when the time was up has been looked at: nothing more is waited for.
        let polled = std::mem::take(&mut process.polled);
        if polled && wait == Wait::Rest && process.inbox.is_empty() {
            let grant = self.perform(me, Op::Receive(Wait::Rest));
            return Some(Next::Go(me, grant));
        }
        // A message that is there already can be taken without a choice: receiving it commutes with all else. Whether it
        // is there when nobody waits for it does not.
        let until = process.receive_until;
        if !process.inbox.is_empty() && until.is_none_or(|until| until > now) {
            let grant = self.perform(me, Op::Receive(wait));
            return Some(Next::Go(me, grant));
        }
        match until {
            Some(until) if until <= now => self.enable(me, Op::Receive(wait)),
            until => {
                process.state = State::Waiting;
                if let (Wait::Lazily(_), Some(until)) = (wait, until) {
                    self.lazy.insert((until, me));
                    return None;
                }
                let deadline = until.map(|until| self.clock.set(until, Due::Wake(me)));
                self.expect(me).deadline = deadline;
            }
        }
        None
    }

    /// Whether a receive does not wait any longer: then it matters whether something arrives before it or after it.
    pub(super) fn is_up(&self, process: ProcessId, wait: Wait) -> bool {
        let until = self.get(process).and_then(|entry| entry.receive_until);
        matches!(wait, Wait::Poll | Wait::Expired) || until.is_some_and(|until| until <= self.clock.now())
    }

    /// Whoever waits for the clock to get to where it is now by itself has waited long enough.
    pub(super) fn wake_lazy(&mut self) {
        let now = self.clock.now();
        while let Some(&(until, process)) = self.lazy.first().filter(|(until, _)| *until <= now) {
            self.lazy.remove(&(until, process));
            let waits = |entry: &Process| entry.state == State::Waiting && entry.deadline.is_none();
            if self
                .get(process)
                .is_some_and(|entry| waits(entry) && entry.receive_until == Some(until))
            {
                self.wake(process);
            }
        }
    }

    /// The time of a receive is up.
    pub(super) fn wake(&mut self, process: ProcessId) {
        let entry = self.expect(process);
        if entry.is_suspended() {
            entry.deadline = None;
            entry.expired = true;
        } else {
            self.release(process, Op::Receive(Wait::Rest));
        }
    }

    /// Puts something in a mailbox and wakes its owner if it waits.
    pub(super) fn drop_in(&mut self, to: ProcessId, item: Item) {
        self.touch(Thing::Mailbox(to), true);
        self.causality.arrived(to);
        let process = self.expect(to);
        process.inbox.push(item);
        if process.state == State::Waiting && !process.is_suspended() {
            if let Some(deadline) = process.deadline.take() {
                self.clock.cancel(deadline);
            }
            self.release(to, Op::Receive(Wait::Rest));
        }
    }

    pub(super) fn receive(&mut self, me: ProcessId, wait: Wait) -> Grant {
        let now = self.clock.now();
        let process = self.expect(me);
        // Whoever gets to run only after its time is up has timed out, whatever has arrived meanwhile.
        let late = wait == Wait::Rest && process.receive_until.is_some_and(|until| until < now);
        let items = match wait {
            _ if late => Vec::new(),
            Wait::Expired => Vec::new(),
            _ => self.take_inbox(me),
        };
        if items.is_empty() {
            self.expect(me).receive_until = None;
            return self.told(me, Kind::Timeout, 0, 0, Grant::TimedOut);
        }
        let is_up = self.is_up(me, wait);
        self.expect(me).polled = is_up;
        let count = items.len() as u64;
        self.told(me, Kind::Receive, count, 0, Grant::Items(items))
    }

    /// Takes what has been delivered to `me`; not a step.
    pub fn fetch(&mut self, me: ProcessId) -> Result<Vec<Item>, Misuse> {
        self.check_turn(me)?;
        Ok(self.take_inbox(me))
    }

    /// Takes what has been delivered. An alias for one message has ended when that is looked at.
    fn take_inbox(&mut self, me: ProcessId) -> Vec<Item> {
        let process = self.expect(me);
        let items = std::mem::take(&mut process.inbox);
        self.choices.looked(me);
        self.causality.fetched(me);
        for (alias, _) in std::mem::take(&mut self.expect(me).aliased) {
            if self.aliases.get(&alias).is_some_and(|alias| alias.used) {
                self.aliases.remove(&alias);
                self.unwatch(me, alias);
            }
        }
        items
    }
}
