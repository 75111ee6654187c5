//! Where a run's time went: a bar for each step over the time of the run.

use console::{measure_text_width, truncate_str};
use jiff::Timestamp;

use super::draw::{Canvas, in_brief, since};
use super::tree::{Kind, Node, State, Tree};

/// The columns of a step's duration, at the right edge.
const TIME: usize = 9;

/// The line above the bars: the beginning, the middle and the end.
pub(super) fn axis(tree: &Tree, canvas: &Canvas) -> String {
    let (label, bars) = widths(canvas);
    let all = length(tree, canvas);
    let (middle, end) = (in_brief(all / 2), in_brief(all));
    let left = bars / 2 - 1;
    let scale = format!("0{middle:>left$}{end:>rest$}", rest = bars - left - 1);
    let scale = canvas.paint.clone().dim().apply_to(scale);
    format!("{}{scale}", " ".repeat(label))
}

/// The line of a step: its label, its bar and how long it took. What it waited for shows as `░`.
pub(super) fn row(tree: &Tree, node: &Node, (state, label): (State, &str), depth: usize, canvas: &Canvas) -> String {
    let (room, bars) = widths(canvas);
    let icon = if state == State::Failed { "✗ " } else { "" };
    let label = truncate_str(&format!("{}{icon}{label}", "  ".repeat(depth)), room - 1, "…").into_owned();
    let gap = " ".repeat(room - measure_text_width(&label));
    let (Some(began), Some(from)) = (tree.started, tree.extent(node).0) else { return label };
    let to = tree.extent(node).1.filter(|_| state.settled());
    let at = |moment: Timestamp| since(Some(began), moment).unwrap_or_default();
    let all = length(tree, canvas).max(1);
    let cell = |millis: u64| (millis.min(all) as usize * bars) / all as usize;
    let first = cell(at(from)).min(bars - 1);
    let last = cell(at(to.unwrap_or(canvas.now))).clamp(first + 1, bars);
    let mut cells = vec!['█'; last - first];
    if node.kind != Kind::Step {
        cells.fill('─');
    }
    let ends = node.phases.iter().skip(1).map(|(from, _)| at(*from)).chain([u64::MAX]);
    for ((start, phase), end) in node.phases.iter().zip(ends) {
        if matches!(phase, State::Waiting | State::Asking) {
            let (start, end) = (cell(at(*start)).saturating_sub(first), cell(end).saturating_sub(first));
            cells.iter_mut().take(end).skip(start).for_each(|cell| *cell = '░');
        }
    }
    let style = match state {
        State::Failed => canvas.paint.clone().red(),
        State::Cancelled | State::Asking | State::Waiting => canvas.paint.clone().yellow(),
        State::Running => canvas.paint.clone().cyan(),
        State::Completed | State::Skipped => canvas.paint.clone().green(),
    };
    let bar = style.apply_to(cells.into_iter().collect::<String>());
    let took = node.duration_ms.or_else(|| since(Some(from), to.unwrap_or(canvas.now))).map(in_brief);
    let took = canvas.paint.clone().dim().apply_to(format!("{:>TIME$}", took.unwrap_or_default()));
    format!("{label}{gap}{}{bar}{}{took}", " ".repeat(first), " ".repeat(bars - last))
}

/// The columns of labels and of bars.
fn widths(canvas: &Canvas) -> (usize, usize) {
    let columns = canvas.columns.max(40);
    let label = (columns * 2 / 5).min(40);
    (label, columns - label - TIME)
}

/// How long the run takes or took so far, in milliseconds.
fn length(tree: &Tree, canvas: &Canvas) -> u64 {
    let end = tree.end.as_ref().map(|end| end.duration_ms);
    end.or_else(|| since(tree.started, canvas.now)).unwrap_or_default()
}
