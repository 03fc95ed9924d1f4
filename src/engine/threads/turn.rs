//! Whose turn it is where several engines run in this process: they evaluate one after the other, in the order in
//! which they asked. Two at once would have twice as many threads as there are cores, each waiting, spinning, for
//! threads that have none.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

static TURNS: Mutex<TurnQueue> = Mutex::new(TurnQueue { asked: 0, now: 0 });
static NEXT: Condvar = Condvar::new();

struct TurnQueue {
    asked: u64,
    now: u64,
}

/// A turn; it ends when it is dropped.
pub(super) struct EngineTurn(());

impl EngineTurn {
    /// Waits for those who asked before.
    pub fn wait() -> EngineTurn {
        let mut turns = lock();
        let own = turns.asked;
        turns.asked += 1;
        while turns.now != own {
            turns = NEXT.wait(turns).unwrap_or_else(PoisonError::into_inner);
        }
        EngineTurn(())
    }
}

impl Drop for EngineTurn {
    fn drop(&mut self) {
        lock().now += 1;
        NEXT.notify_all();
    }
}

fn lock() -> MutexGuard<'static, TurnQueue> {
    TURNS.lock().unwrap_or_else(PoisonError::into_inner)
}
