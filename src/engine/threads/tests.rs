use super::*;

const SOON: Duration = Duration::from_millis(100);

/// Where the number ends when so many others are always ready to run, from every core on.
fn settled(cores: u32, others: u32) -> u32 {
    let mut threads = cores;
    for _ in 0..20 {
        let ready = f64::from(threads + others);
        let share = (f64::from(cores) / ready).min(1.0);
        let idle = (f64::from(cores) - ready).max(0.0);
        threads = number(f64::from(threads) * share, Some(idle), threads, SOON).clamp(1, cores);
    }
    threads
}

#[test]
fn as_many_threads_as_cores_are_left() {
    for cores in [2, 4, 8, 64] {
        assert_eq!(settled(cores, 0), cores);
        assert_eq!(settled(cores, 1), cores - 1);
    }
    assert_eq!(settled(2, 5), 1);
    assert_eq!(settled(4, 2), 2);
}

#[test]
fn a_core_that_is_free_again_is_used_again() {
    assert_eq!(number(1.0, Some(1.0), 1, SOON), 2);
    assert_eq!(number(1.0, Some(0.0), 1, SOON), 1);
}

#[test]
fn a_system_that_counts_roughly_costs_no_thread() {
    // Ten milliseconds in a hundred may be missing, and a core may be stolen for some time.
    assert_eq!(number(1.7, Some(0.0), 2, SOON), 2);
}

#[test]
fn where_nothing_is_known_of_idle_cores_one_more_is_tried_now_and_then() {
    assert_eq!(number(1.0, None, 1, SOON), 1);
    assert_eq!(number(1.0, None, 1, TRIAL), 2);
    assert_eq!(number(1.3, None, 2, SOON), 1);
    assert_eq!(number(0.6, None, 1, TRIAL), 1);
}

#[test]
fn a_number_that_was_asked_for_stays() {
    assert_eq!(Governor::fixed(3).threads(), 3);
    assert_eq!(Governor::fixed(0).threads(), 1);
    let adapting = Governor::adapting(2);
    assert!((1..=2).contains(&adapting.threads()));
}
