//! `metric_list`: which figures a task reports.

use crate::continuation::reduction::Reduction;
use crate::probe::error::{InputError, meant};
use crate::probe::metric::Metric;
use crate::probe::task::file::Raw;
use crate::probe::task::yaml::Yaml;

/// How continuations are scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskKind {
    /// Several, of which the best is the answer.
    MultipleChoice,
    /// One.
    Loglikelihood,
    /// A text as a whole.
    Rolling,
}

impl TaskKind {
    /// What a task file says.
    pub fn of(raw: &Raw) -> Result<TaskKind, InputError> {
        match raw.text("output_type")?.as_deref() {
            Some("multiple_choice") => Ok(TaskKind::MultipleChoice),
            Some("loglikelihood") => Ok(TaskKind::Loglikelihood),
            Some("loglikelihood_rolling") => Ok(TaskKind::Rolling),
            other => {
                let other = other.unwrap_or_default();
                let kinds = ["multiple_choice", "loglikelihood", "loglikelihood_rolling"];
                Err(raw
                    .at("output_type", format!("there is no output_type {other}; {}", meant(other, kinds))))
            }
        }
    }
}

/// The task's figures: those it names, or those of its kind.
pub fn of(raw: &Raw, kind: TaskKind) -> Result<Vec<Metric>, InputError> {
    let (own, usual): (&[Metric], &[Metric]) = match kind {
        TaskKind::MultipleChoice => (
            &[
                Metric::Accuracy(Reduction::Acc),
                Metric::Accuracy(Reduction::AccNorm),
                Metric::Accuracy(Reduction::AccBytes),
                Metric::Accuracy(Reduction::AccMutualInfo),
                Metric::F1,
                Metric::Mcc,
                Metric::ExactMatch,
                Metric::BrierScore,
            ],
            &[Metric::Accuracy(Reduction::Acc), Metric::Accuracy(Reduction::AccNorm)],
        ),
        TaskKind::Loglikelihood => {
            let both = &[Metric::Perplexity, Metric::Accuracy(Reduction::Acc)];
            (both, both)
        }
        TaskKind::Rolling => {
            let all = &[Metric::WordPerplexity, Metric::BytePerplexity, Metric::BitsPerByte];
            (all, all)
        }
    };
    let Some((path, node)) = raw.keys.get("metric_list").filter(|(_, node)| node.value != Yaml::Null) else {
        return Ok(usual.to_vec());
    };
    let Yaml::List(entries) = &node.value else {
        return Err(raw.at("metric_list", "metric_list must be a list"));
    };
    let mut metrics = Vec::new();
    for entry in entries {
        let wrong = |reason: String| InputError::new(path.display(), reason).at_line(entry.line);
        let Yaml::Map(map) = &entry.value else {
            return Err(wrong("an entry of metric_list must be a mapping with a metric".to_string()));
        };
        let text = |key: &str| map.get(key).and_then(|node| node.value.as_text());
        let name =
            text("metric").ok_or_else(|| wrong("an entry of metric_list has no metric".to_string()))?;
        let metric = Metric::named(name).ok_or_else(|| {
            let names = own.iter().map(|metric| metric.name());
            wrong(format!("there is no metric {name} here; {}", meant(name, names)))
        })?;
        if let Some(aggregation) =
            text("aggregation").filter(|aggregation| *aggregation != usual_aggregation(metric))
        {
            return Err(wrong(format!(
                "the aggregation {aggregation} of {name} is not known here; {} is",
                usual_aggregation(metric)
            )));
        }
        // The harness leaves a metric out that its kind of task does not have.
        if own.contains(&metric) && !metrics.contains(&metric) {
            metrics.push(metric);
        }
    }
    if metrics.is_empty() {
        return Err(raw.at("metric_list", "no metric in metric_list is one of this output_type"));
    }
    Ok(metrics)
}

fn usual_aggregation(metric: Metric) -> &'static str {
    match metric {
        Metric::Perplexity => "perplexity",
        Metric::WordPerplexity | Metric::BytePerplexity => "weighted_perplexity",
        Metric::BitsPerByte => "bits_per_byte",
        Metric::F1 => "f1",
        Metric::Mcc => "matthews_corrcoef",
        Metric::BrierScore => "brier_score",
        _ => "mean",
    }
}
