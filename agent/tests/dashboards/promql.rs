//! A walk through parsed expressions: which series they select, within what, and which labels come out of them.

use std::collections::BTreeSet;
use std::time::Duration;

use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{self, Expr, LabelModifier, VectorSelector};

use crate::boards::{self, Rule};
use crate::catalogue::{self, Kind, Metric};

/// What stands for the interval of Grafana, so that it is known again.
pub(crate) const RATE_INTERVAL: Duration = Duration::from_secs(7 * 60 + 1);
/// What stands for the time that is shown.
pub(crate) const RANGE: Duration = Duration::from_secs(11 * 60 + 1);

/// Series that Prometheus itself makes, with the labels that we use of them.
const OF_PROMETHEUS: [(&str, &[&str]); 2] =
    [("up", &[]), ("ALERTS", &["alertname", "alertstate", "severity", "verifier", "artifact"])];

/// One selection of series in an expression.
#[derive(Debug)]
pub(crate) struct Selection<'a> {
    pub(crate) name: &'a str,
    pub(crate) matchers: &'a [Matcher],
    /// `[5m]`, and the function around it.
    pub(crate) range: Option<Duration>,
    pub(crate) function: Option<&'a str>,
}

/// A panel's expression as one that parses: durations are told apart by their values, variables in strings stay.
pub(crate) fn parse_panel(expr: &str) -> Result<Expr, String> {
    let seconds = |time: Duration| format!("{}s", time.as_secs());
    let expr = expr.replace("$__rate_interval", &seconds(RATE_INTERVAL)).replace("$__range", &seconds(RANGE));
    parse(&expr)
}

pub(crate) fn parse(expr: &str) -> Result<Expr, String> {
    parser::parse(expr).map_err(|error| format!("{error}: {expr}"))
}

/// Calls with each part of an expression, and with the function whose argument it is.
pub(crate) fn each<'a>(expr: &'a Expr, function: Option<&'a str>, f: &mut dyn FnMut(&'a Expr, Option<&'a str>)) {
    f(expr, function);
    match expr {
        Expr::Aggregate(it) => {
            each(&it.expr, None, f);
            if let Some(param) = &it.param {
                each(param, None, f);
            }
        }
        Expr::Unary(it) => each(&it.expr, None, f),
        Expr::Binary(it) => {
            each(&it.lhs, None, f);
            each(&it.rhs, None, f);
        }
        Expr::Paren(it) => each(&it.expr, function, f),
        Expr::Subquery(it) => each(&it.expr, None, f),
        Expr::Call(it) => it.args.args.iter().for_each(|argument| each(argument, Some(it.func.name), f)),
        Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::VectorSelector(_)
        | Expr::MatrixSelector(_)
        | Expr::Extension(_) => {}
    }
}

/// All selections.
pub(crate) fn selections(expr: &Expr) -> Vec<Selection<'_>> {
    let mut found = Vec::new();
    each(expr, None, &mut |part, function| match part {
        Expr::VectorSelector(selector) => found.push(selection(selector, None, function)),
        Expr::MatrixSelector(matrix) => found.push(selection(&matrix.vs, Some(matrix.range), function)),
        Expr::Aggregate(_)
        | Expr::Unary(_)
        | Expr::Binary(_)
        | Expr::Paren(_)
        | Expr::Subquery(_)
        | Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::Call(_)
        | Expr::Extension(_) => {}
    });
    found
}

fn selection<'a>(selector: &'a VectorSelector, range: Option<Duration>, function: Option<&'a str>) -> Selection<'a> {
    let name = selector.name.as_deref().unwrap_or_default();
    Selection { name, matchers: &selector.matchers.matchers, range, function }
}

/// The numbers that something is compared with.
pub(crate) fn compared_with(expr: &Expr) -> Vec<f64> {
    let mut found = Vec::new();
    each(expr, None, &mut |part, _| {
        if let Expr::Binary(binary) = part
            && binary.op.is_comparison_operator()
            && let Expr::NumberLiteral(number) = &*binary.rhs
        {
            found.push(number.val);
        }
    });
    found
}

/// Names of labels, in order.
pub(crate) type Labels = BTreeSet<String>;

fn labels(names: &[&str]) -> Labels {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// What there is to select: the catalogue, the recording rules, what Prometheus makes itself.
pub(crate) struct Known {
    pub(crate) metrics: Vec<Metric>,
    pub(crate) recorded: Vec<Rule>,
}

impl Known {
    pub(crate) fn new() -> Self {
        Self { metrics: catalogue::metrics(), recorded: boards::recording_rules() }
    }

    /// The labels of a series, the target's included; `None` for one that nobody makes.
    pub(crate) fn labels_of_series(&self, name: &str) -> Option<Labels> {
        let of_targets = labels(&catalogue::OF_TARGETS);
        if let Some(metric) = catalogue::metric_of(&self.metrics, name) {
            let bucket = (metric.kind == Kind::Histogram && name.ends_with("_bucket")).then(|| "le".to_owned());
            return Some(metric.labels.keys().cloned().chain(of_targets).chain(bucket).collect());
        }
        if let Some((_, more)) = OF_PROMETHEUS.iter().find(|(it, _)| *it == name) {
            return Some(of_targets.into_iter().chain(labels(more)).collect());
        }
        let rule = self.recorded.iter().find(|rule| rule.name() == name)?;
        self.labels_of(&parse(&rule.expr).unwrap()).ok()
    }

    /// The labels that come out of an expression; `Err` names labels and series that are not there.
    pub(crate) fn labels_of(&self, expr: &Expr) -> Result<Labels, String> {
        match expr {
            Expr::Aggregate(it) => {
                let inner = self.labels_of(&it.expr)?;
                let chosen = it.modifier.as_ref().map(|modifier| match modifier {
                    LabelModifier::Include(names) => (true, names),
                    LabelModifier::Exclude(names) => (false, names),
                });
                let keeps_all = ["topk", "bottomk"].contains(&it.op.to_string().as_str());
                let Some((included, names)) = chosen else {
                    return Ok(if keeps_all { inner } else { Labels::new() });
                };
                let names: Labels = names.labels.iter().cloned().collect();
                let missing: Vec<_> = names.difference(&inner).collect();
                if !missing.is_empty() {
                    return Err(format!("no label {missing:?} to aggregate by in {expr}"));
                }
                Ok(if included { names } else { inner.difference(&names).cloned().collect() })
            }
            Expr::Unary(it) => self.labels_of(&it.expr),
            Expr::Binary(it) => {
                let (left, right) = (self.labels_of(&it.lhs)?, self.labels_of(&it.rhs)?);
                Ok(if matches!(&*it.lhs, Expr::NumberLiteral(_)) { right } else { left })
            }
            Expr::Paren(it) => self.labels_of(&it.expr),
            Expr::Subquery(it) => self.labels_of(&it.expr),
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => Ok(Labels::new()),
            Expr::VectorSelector(selector) => self.labels_of_selector(selector),
            Expr::MatrixSelector(matrix) => self.labels_of_selector(&matrix.vs),
            Expr::Call(it) => {
                let mut found = Labels::new();
                for argument in &it.args.args {
                    found.extend(self.labels_of(argument)?);
                }
                if it.func.name == "histogram_quantile" && !found.remove("le") {
                    return Err(format!("a quantile needs le: {expr}"));
                }
                Ok(if it.func.name == "absent_over_time" { Labels::new() } else { found })
            }
        }
    }

    fn labels_of_selector(&self, selector: &VectorSelector) -> Result<Labels, String> {
        let name = selector.name.as_deref().ok_or_else(|| format!("a selector without a name: {selector}"))?;
        let there = self.labels_of_series(name).ok_or_else(|| format!("no such metric: {name}"))?;
        for matcher in &selector.matchers.matchers {
            if !there.contains(&matcher.name) {
                return Err(format!("{name} has no label {}", matcher.name));
            }
            self.check_value(name, matcher)?;
        }
        Ok(there)
    }

    /// A matcher on a closed list must fit one of its values at least.
    fn check_value(&self, series: &str, matcher: &Matcher) -> Result<(), String> {
        let metric = catalogue::metric_of(&self.metrics, series);
        let Some(Some(values)) = metric.and_then(|it| it.labels.get(&matcher.name)) else { return Ok(()) };
        if matcher.value.contains('$') {
            return Ok(());
        }
        let fits = |value: &String| match &matcher.op {
            MatchOp::Equal | MatchOp::NotEqual => *value == matcher.value,
            MatchOp::Re(regex) | MatchOp::NotRe(regex) => regex.is_match(value),
        };
        if values.iter().any(fits) { Ok(()) } else { Err(format!("no value of {series} fits {matcher}")) }
    }
}

/// The values of a label that a matcher takes.
pub(crate) fn taken<'a>(matcher: &Matcher, values: &[&'a str]) -> Vec<&'a str> {
    let MatchOp::Re(regex) = &matcher.op else { panic!("{matcher} is no regular expression") };
    values.iter().filter(|value| regex.is_match(value)).copied().collect()
}
