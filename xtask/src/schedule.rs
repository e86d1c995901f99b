//! Runs jobs side by side, as far as what they need allows.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::thread;

/// Jobs that only wait and are under way at the same time, beside those that compute: each has
/// programs in memory.
const WAITING: usize = 4;

/// Something to run. Those that are given first begin first.
#[derive(Clone, Copy)]
pub struct Job<'a, T> {
    /// Which one it is.
    pub name: &'a str,
    /// Processors that it keeps busy; 0 for one that waits most of the time.
    pub processors: usize,
    /// What only one job may have at a time.
    pub holds: Option<&'a str>,
    /// Jobs that end before it begins.
    pub after: &'a [&'a str],
    /// Begins when all others have ended.
    pub last: bool,
    pub run: &'a (dyn Fn() -> T + Sync),
}

/// Runs every job, and hands over what each one answered as soon as it did: `None` for one that
/// panicked.
pub fn run<T: Send>(jobs: &[Job<'_, T>], processors: usize, mut ended: impl FnMut(&str, Option<T>)) {
    let (sender, receiver) = mpsc::channel();
    let mut waiting: Vec<&Job<'_, T>> = jobs.iter().collect();
    let mut running: Vec<&Job<'_, T>> = Vec::new();
    thread::scope(|scope| {
        loop {
            while let Some(next) = next(&waiting, &running, processors) {
                let job = waiting.remove(next);
                running.push(job);
                let sender = sender.clone();
                scope.spawn(move || {
                    let answer = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (job.run)()));
                    // Nobody listens any more only when the other side has panicked.
                    let _ = sender.send((job.name, answer.ok()));
                });
            }
            if running.is_empty() {
                break;
            }
            let Ok((name, answer)) = receiver.recv() else { break };
            running.retain(|job| job.name != name);
            ended(name, answer);
        }
    });
}

/// The first job that may begin now.
fn next<T>(waiting: &[&Job<'_, T>], running: &[&Job<'_, T>], processors: usize) -> Option<usize> {
    let unfinished: BTreeSet<&str> = waiting.iter().chain(running).map(|job| job.name).collect();
    let busy: usize = running.iter().map(|job| job.processors).sum();
    let idle = running.iter().filter(|job| job.processors == 0).count();
    waiting.iter().position(|job| {
        let fits = match job.processors {
            0 => idle < WAITING,
            // One that wants more than there are has the computer to itself.
            wanted => busy == 0 || busy + wanted <= processors,
        };
        let free = job.holds.is_none() || running.iter().all(|other| other.holds != job.holds);
        let ready = !job.after.iter().any(|name| unfinished.contains(name));
        let turn = !job.last || (running.is_empty() && waiting.iter().all(|job| job.last));
        fits && free && ready && turn
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::time::Duration;

    fn job<'a>(name: &'a str, processors: usize, run: &'a (dyn Fn() -> u32 + Sync)) -> Job<'a, u32> {
        Job { name, processors, holds: None, after: &[], last: false, run }
    }

    /// Runs jobs on two processors, and answers which ones were under way whenever one began, and
    /// which ended.
    fn played(rows: &[Job<'_, u32>]) -> (Vec<BTreeSet<String>>, Vec<String>) {
        let (under_way, seen) = (Mutex::new(BTreeSet::new()), Mutex::new(Vec::new()));
        let acts: Vec<_> = rows
            .iter()
            .map(|row| {
                let (under_way, seen) = (&under_way, &seen);
                move || {
                    let mut now = under_way.lock().unwrap();
                    now.insert(row.name.to_owned());
                    seen.lock().unwrap().push(now.clone());
                    drop(now);
                    thread::sleep(Duration::from_millis(20));
                    under_way.lock().unwrap().remove(row.name);
                    (row.run)()
                }
            })
            .collect();
        let jobs: Vec<_> = rows.iter().zip(&acts).map(|(row, run)| Job { run, ..*row }).collect();
        let mut ended = Vec::new();
        run(&jobs, 2, |name, _| ended.push(name.to_owned()));
        (seen.into_inner().unwrap(), ended)
    }

    #[test]
    fn no_more_is_under_way_than_there_are_processors() {
        let nothing = || 0;
        let rows = [("a", 1), ("b", 2), ("c", 1), ("w", 0), ("d", 7), ("e", 1)];
        let rows = rows.map(|(name, processors)| job(name, processors, &nothing));
        let (seen, ended) = played(&rows);
        assert_eq!(ended.len(), rows.len());
        for now in seen {
            let busy: Vec<_> = rows.iter().filter(|row| now.contains(row.name)).collect();
            let sum: usize = busy.iter().map(|row| row.processors).sum();
            assert!(sum <= 2 || busy.iter().filter(|row| row.processors > 0).count() == 1, "{now:?}");
        }
    }

    #[test]
    fn what_is_held_is_held_by_one() {
        let nothing = || 0;
        let rows = ["a", "b", "c"].map(|name| Job { holds: Some("folder"), ..job(name, 0, &nothing) });
        assert!(played(&rows).0.iter().all(|now| now.len() == 1));
    }

    #[test]
    fn what_comes_after_others_or_last_does() {
        let nothing = || 0;
        let rows = [
            Job { last: true, ..job("search", 0, &nothing) },
            Job { after: &["build"], ..job("test", 1, &nothing) },
            job("build", 1, &nothing),
            job("other", 0, &nothing),
        ];
        let ended = played(&rows).1;
        let at = |name: &str| ended.iter().position(|other| other == name);
        assert_eq!(at("search"), Some(3));
        assert!(at("build") < at("test"));
    }

    #[test]
    fn one_that_panics_ends_too() {
        let (nothing, panics) = (|| 1, || -> u32 { panic!("on purpose") });
        let mut answers = Vec::new();
        run(&[job("a", 1, &panics), job("b", 1, &nothing)], 1, |_, answer| answers.push(answer));
        assert_eq!(answers, [None, Some(1)]);
    }
}
