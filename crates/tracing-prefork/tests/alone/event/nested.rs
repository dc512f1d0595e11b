//! Events that are logged while another is formatted. The test needs the global subscriber: a scoped one leaves such
//! events out.

use tracing_prefork::Rotation;
use tracing_subscriber::prelude::*;

use crate::common::{DAY, Hand, NOW, alone, read};

/// Logs so many events when it is printed, after the clock has passed midnight.
struct Chatty(Hand, u64, usize);

impl std::fmt::Display for Chatty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.set(self.1, 0);
        (0..self.2).for_each(|number| tracing::info!(number, "inner"));
        f.write_str("outer")
    }
}

#[test]
fn an_event_that_logs_while_it_is_formatted_keeps_its_own_time() {
    alone(|_| {
        let directory = tempfile::tempdir().expect("a directory");
        let hand = Hand::at(NOW);
        let logs = hand.builder().rotation(Rotation::DAILY).build(directory.path()).expect("builds");
        tracing_subscriber::registry().with(logs.layer()).init();

        tracing::info!("{}", Chatty(hand.clone(), NOW + DAY, 1));
        tracing::info!("{}", Chatty(hand.clone(), NOW + 2 * DAY, 50));

        assert_eq!(
            read(directory.path(), "app.2026-11-21.log"),
            format!("2026-11-21T08:33:01.000000Z  INFO {}: outer\n", module_path!())
        );
        let second = read(directory.path(), "app.2026-11-22.log");
        assert_eq!(second.lines().filter(|line| line.ends_with("inner number=0")).count(), 1, "{second}");
        assert_eq!(second.lines().filter(|line| line.ends_with("outer")).count(), 1, "{second}");
        assert_eq!(read(directory.path(), "app.2026-11-23.log").lines().count(), 50);
    });
}
