//! Recorded logs through the real parser.
