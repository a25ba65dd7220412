//! The table of failure classes: complete, in order, and each example is told as its class.

use gobeacon_formats::{EventKind, FAILURES, Failure, Parser};

fn failures(text: &str) -> Vec<Failure> {
    let mut parser = Parser::new();
    let mut events = Vec::new();
    parser.feed(text.as_bytes(), 0, &mut events);
    parser.finish(&mut events);
    let failure = |kind| if let EventKind::Failure(failure) = kind { Some(*failure) } else { None };
    events.into_iter().filter_map(|event| failure(event.kind)).collect()
}

#[test]
fn each_example_of_the_table_is_told_as_its_class_and_as_nothing_else() {
    for row in FAILURES {
        let told: Vec<&str> = failures(row.example).iter().map(|failure| failure.class.id()).collect();
        assert_eq!(told, [row.id], "the example of {}", row.id);
    }
}

#[test]
fn rows_stand_in_the_order_of_the_classes_and_say_something() {
    for (index, row) in FAILURES.iter().enumerate() {
        assert_eq!(row.class as usize, index, "{}", row.id);
        assert_eq!(row.class.id(), row.id);
        for text in [row.meaning, row.remedy] {
            assert!(text.len() > 20 && text.ends_with('.'), "{}: {text:?} is a sentence", row.id);
        }
    }
}

#[test]
fn ids_are_unique_and_written_area_dot_cause() {
    let mut ids: Vec<&str> = FAILURES.iter().map(|row| row.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), FAILURES.len());
    assert!(ids.iter().all(|id| id.bytes().all(|b| b.is_ascii_lowercase() || b == b'.' || b == b'_')));
}
