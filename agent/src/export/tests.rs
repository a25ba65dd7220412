//! Tests of the exporter against receivers in this process.
