//! Calls a storage from several threads at the same time.
//!
//! Each thread has a runtime of its own, as the hosts of a shared storage do.

use std::sync::Barrier;

/// Runs `call` on this many threads, which start together. Returns their results in order.
pub(crate) fn at_once<T: Send>(count: u64, call: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(usize::try_from(count).unwrap());
    std::thread::scope(|scope| {
        let start = |n| {
            let (barrier, call) = (&barrier, &call);
            scope.spawn(move || {
                barrier.wait();
                call(n)
            })
        };
        let threads: Vec<_> = (1..=count).map(start).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, T>| thread.join().unwrap();
        threads.into_iter().map(join).collect()
    })
}

/// Waits for a future on a runtime of this thread.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(future)
}
