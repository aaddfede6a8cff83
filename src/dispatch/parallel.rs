//! Work of the processor on as many threads as the machine has, off the async ones.

use tokio::task::{JoinError, spawn_blocking};

/// Most threads: each that typesets keeps some tens of megabytes.
const THREADS_MAX: usize = 8;

/// Threads that the machine has for such work.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX)
}

/// Does the same with each item, on so many threads at once; the results in the items' order.
pub async fn shared_out<T, R, F>(mut items: Vec<T>, threads: usize, work: F) -> Result<Vec<R>, JoinError>
where
    T: Send + 'static,
    R: Send + 'static,
    F: Fn(T) -> R + Clone + Send + 'static,
{
    let each = items.len().div_ceil(threads.max(1)).max(1);
    let mut tasks = Vec::with_capacity(threads);
    while !items.is_empty() {
        let (rest, work) = (items.split_off(each.min(items.len())), work.clone());
        let part = std::mem::replace(&mut items, rest);
        tasks.push(spawn_blocking(move || part.into_iter().map(work).collect::<Vec<_>>()));
    }
    let mut done = Vec::new();
    for task in tasks {
        done.extend(task.await?);
    }
    Ok(done)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::sync::{Arc, Condvar, Mutex};
    use std::time::Duration;

    /// Each waits until all of them are at work: fewer threads would never get there.
    async fn met(items: usize, threads: usize) -> Vec<(usize, bool)> {
        let at_work = Arc::new((Mutex::new(0), Condvar::new()));
        let work = move |item: usize| {
            let (count, changed) = &*at_work;
            let mut count = count.lock().unwrap();
            *count += 1;
            changed.notify_all();
            let all = changed.wait_timeout_while(count, Duration::from_secs(2), |count| *count < items).unwrap();
            (item, !all.1.timed_out())
        };
        shared_out((0..items).collect(), threads, work).await.unwrap()
    }

    #[tokio::test]
    async fn as_many_work_at_once_as_there_are_threads_and_the_order_stays() {
        assert_eq!(met(5, 5).await, [0, 1, 2, 3, 4].map(|item| (item, true)));
        assert!(met(3, 2).await.iter().any(|(_, all)| !all), "a third item waits for a thread");
        assert_eq!(shared_out((0..1001).collect(), 4, |n: usize| n).await.unwrap(), (0..1001).collect::<Vec<_>>());
        assert_eq!(shared_out(Vec::<u8>::new(), 4, |n| n).await.unwrap(), Vec::<u8>::new());
        assert_eq!(shared_out(vec![7], 0, |n: u8| n).await.unwrap(), [7]);
    }

    #[test]
    fn the_threads_are_the_machines_within_a_bound() {
        let all = std::thread::available_parallelism().map_or(1, usize::from);
        assert_eq!(threads(), all.min(THREADS_MAX));
        assert!((1..=THREADS_MAX).contains(&threads()));
    }
}
