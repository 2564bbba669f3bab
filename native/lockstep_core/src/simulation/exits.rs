//! Exit signals, and the ends of processes.
//!
//! Before anything else happens, a process that is killed has to be told so and to be gone, with its tables. Each of
//! those that are to hear of its end gets a signal of its own.

use super::connections::Way;
use super::{Ready, Simulation, Turn};
use crate::causality::Thing;
use crate::ids::ProcessId;
use crate::network::Content;
use crate::op::{Death, ExitClass, Grant, Item, Notice, SystemReason, Target};
use crate::process::{Process, State};
use crate::trace::Kind;

impl Simulation {
    pub(super) fn signal(&mut self, me: ProcessId, to: ProcessId, class: ExitClass) -> Grant {
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

    pub(super) fn deliver_exit(&mut self, from: ProcessId, to: ProcessId, link: bool, class: ExitClass, death: Death) {
        self.touch_exit(from, to, link, class);
        let Some(process) = self.living(to) else { return };
        if link && !process.links.remove(&from) {
            return;
        }
        if class == ExitClass::Kill && !link {
            self.kill(to, Death::System(SystemReason::Killed), ExitClass::Crash);
        } else if process.trap_exit {
            let item = match death {
                Death::Signal(id) => Item::Term(id),
                Death::System(reason) => Item::Exit(from, reason),
            };
            self.drop_in(to, item);
        } else if class != ExitClass::Normal || (!link && from == to) {
            self.kill(to, death, class);
        }
    }

    /// Kills a process: whatever it had announced never happens.
    pub(super) fn kill(&mut self, process: ProcessId, death: Death, class: ExitClass) {
        self.touch_stopped(process);
        if self.is_ending(process) {
            return;
        }
        let entry = self.expect(process);
        let before = std::mem::replace(&mut entry.state, State::Ending(class));
        if let Some(deadline) = entry.deadline.take() {
            self.clock.cancel(deadline);
        }
        if matches!(before, State::Enabled(_)) {
            self.release_from_queue(process);
        }
        self.doomed.push_back((process, death));
    }

    fn release_from_queue(&mut self, process: ProcessId) {
        self.queue.remove(Ready::Run(process));
    }

    /// Sends the messages that tell of an inheritance. They come before the signals of links and monitors, as in the VM.
    pub(super) fn bequeath(&mut self, me: ProcessId, heirs: &[ProcessId]) -> Vec<Notice> {
        let mut notices = Vec::new();
        for &to in heirs {
            let id = self.next_message();
            let content = Content::Message(Target::Process(to));
            self.post(me, to, self.home(to), id, content, false);
            notices.push(Notice { to, id, monitor: None });
        }
        notices
    }

    /// Takes a process out of the world. Links come before monitors, as in the VM.
    pub(super) fn end(&mut self, me: ProcessId, class: ExitClass) -> Vec<Notice> {
        let stopped = !self.network.node(self.home(me)).up;
        self.turn = Turn::Reaping(me);
        let Some(process) = self.processes[me.0 as usize].take() else {
            return Vec::new();
        };
        self.touch_end(me, &process);
        self.forget(me, &process);
        self.just_ended.add(self.clock.now(), me, &process);
        let mut notices = Vec::new();
        // One that is dead itself has nobody left to read it.
        for to in process
            .links
            .into_iter()
            .filter(|&to| self.alive(to))
            .collect::<Vec<_>>()
        {
            let id = self.next_message();
            self.post(
                me,
                to,
                self.home(to),
                id,
                Content::Exit {
                    from: me,
                    to,
                    link: true,
                    class,
                },
                false,
            );
            notices.push(Notice { to, id, monitor: None });
        }
        for (reference, to) in process
            .watched_by
            .into_iter()
            .filter(|&(_, to)| self.alive(to))
            .collect::<Vec<_>>()
        {
            let id = self.next_message();
            self.post(me, to, self.home(to), id, Content::Down { reference, to }, false);
            notices.push(Notice {
                to,
                id,
                monitor: Some(reference),
            });
        }
        self.judge_end(me, class, stopped);
        notices
    }

    /// Removes what a process that has ended leaves behind elsewhere.
    fn forget(&mut self, me: ProcessId, process: &Process) {
        if let Some(name) = process.name {
            self.network.node_mut(process.node).names.remove(&name);
        }
        for (reference, &target) in &process.watching {
            if let Target::Process(watched) = target {
                if let Some(entry) = self.living(watched) {
                    entry.watched_by.remove(reference);
                }
            }
        }
        for &timer in &process.timers {
            self.drop_timer(timer);
        }
        for &suspended in process.suspending.keys() {
            self.lift(me, suspended);
        }
        for &suspender in &process.suspended_by {
            if let Some(entry) = self.living(suspender) {
                entry.suspending.remove(&me);
            }
        }
        for node in &mut self.network.nodes {
            node.watchers.retain(|watcher| watcher.process != me);
            node.subscribers.retain(|&(subscriber, _)| subscriber != me);
        }
        self.network.waiters.retain(|&(_, _, waiter, _)| waiter != me);
        self.aliases.retain(|_, alias| alias.owner != me);
    }
}
