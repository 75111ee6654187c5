//! A picture of the tree in a given number of columns and lines: what runs and what failed stays in sight, what is
//! through is folded away when the place gets scarce.

use console::{Style, measure_text_width, truncate_str};
use jiff::Timestamp;

use super::super::output::{brief, spent};
use super::timeline;
use super::tree::{Fan, Kind, Node, State, Tree};

/// A fan-out of at most this many items shows every one of them.
const FEW: usize = 10;
/// Of a larger one, this many that run and this many that failed.
const SHOWN: usize = 6;
/// The width of a fan-out's bar.
const BAR: usize = 20;
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// The place and moment of a picture.
#[derive(Clone, Debug)]
pub(super) struct Canvas {
    pub(super) columns: usize,
    pub(super) lines: usize,
    pub(super) now: Timestamp,
    /// Which picture of the spinner.
    pub(super) tick: usize,
    /// The style to begin from; one without colours for plain text.
    pub(super) paint: Style,
    /// Steps of the flow's body, to be shown until they begin: their names and labels.
    pub(super) planned: Vec<(String, String)>,
    /// Said beside the flow's name: that the run is being cancelled.
    pub(super) remark: String,
    pub(super) view: View,
}

/// What a picture is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// To watch a run.
    Live,
    /// To look at one that is kept: with attempts, and what steps spent.
    Kept,
    /// To see where its time went: bars over the run's time.
    Timeline,
}

/// How much is folded away.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fold {
    /// Nothing but the items of large fan-outs.
    Little,
    /// What is under a step that is through, unless it failed.
    Done,
    /// All but what runs.
    Most,
}

/// The tree as lines, as many as fit.
pub(super) fn picture(tree: &Tree, canvas: &Canvas) -> Vec<String> {
    let mut lines = Vec::new();
    for fold in [Fold::Little, Fold::Done, Fold::Most] {
        let mut pen = Pen { tree, canvas, fold, lines: vec![heading(tree, canvas)] };
        for (_, node) in tree.nodes(&tree.roots) {
            pen.node(node, 1);
        }
        pen.planned();
        lines = pen.lines;
        if lines.len() <= canvas.lines {
            return lines;
        }
    }
    // Still too long: the heading, a word about what is not shown, and the end, where the work is.
    let room = canvas.lines.saturating_sub(2).max(1);
    let hidden = lines.len().saturating_sub(1 + room);
    lines.splice(1..=hidden, [canvas.paint.clone().dim().apply_to(format!("  … {hidden} more lines")).to_string()]);
    lines
}

/// All of the tree, without a heading, however many lines it takes.
pub(super) fn outline(tree: &Tree, canvas: &Canvas) -> Vec<String> {
    let mut pen = Pen { tree, canvas, fold: Fold::Little, lines: Vec::new() };
    if canvas.view == View::Timeline {
        pen.lines.push(timeline::axis(tree, canvas));
    }
    for (_, node) in tree.nodes(&tree.roots) {
        pen.node(node, 0);
    }
    if canvas.view == View::Kept {
        pen.planned();
    }
    pen.lines
}

fn heading(tree: &Tree, canvas: &Canvas) -> String {
    let paint = &canvas.paint;
    let name = paint.clone().bold().apply_to(&tree.flow);
    let elapsed = tree.end.as_ref().map(|end| end.duration_ms).or_else(|| since(tree.started, canvas.now));
    let mut facts = Vec::new();
    if tree.planned > 0 && tree.end.is_none() {
        facts.push(format!("Step {}/{}", tree.begun(), tree.planned));
    }
    facts.extend(elapsed.map(in_brief));
    let facts = paint.clone().dim().apply_to(facts.join(" · ")).to_string();
    let remark = paint.clone().yellow().apply_to(&canvas.remark);
    truncate_str(format!("{name}  {facts}  {remark}").trim_end(), canvas.columns, "…").into_owned()
}

struct Pen<'a> {
    tree: &'a Tree,
    canvas: &'a Canvas,
    fold: Fold,
    lines: Vec<String>,
}

impl Pen<'_> {
    fn node(&mut self, node: &Node, depth: usize) {
        let state = self.tree.state(node);
        self.line(node, state, &node.label, depth);
        let children = self.children(node);
        let depth = depth + 1;
        let quiet = state.settled() && state != State::Failed;
        if (self.fold >= Fold::Done && quiet) || (self.fold == Fold::Most && state.settled()) {
            return;
        }
        let items = self.tree.nodes(&children).filter(|(_, child)| child.kind == Kind::Item).count();
        if items > FEW || (items > 0 && self.fold == Fold::Most) {
            self.some_items(&children, node, depth);
        } else {
            for (_, child) in self.tree.nodes(&children) {
                self.child(child, depth);
            }
        }
    }

    /// What is drawn beneath a node: of the rounds of a `repeat`, only what the last one holds.
    fn children(&self, node: &Node) -> Vec<usize> {
        let Some(round) = self.tree.round(node) else { return node.children.clone() };
        let others = self.tree.nodes(&node.children).filter(|(_, child)| child.kind != Kind::Round).map(|(at, _)| at);
        round.children.iter().copied().chain(others).collect()
    }

    fn child(&mut self, child: &Node, depth: usize) {
        if child.kind == Kind::Item { self.item(child, depth) } else { self.node(child, depth) }
    }

    /// An item in one line where one step is all it does so far, else with its steps beneath.
    fn item(&mut self, item: &Node, depth: usize) {
        let mut steps = self.tree.nodes(&item.children);
        match (steps.next(), steps.next()) {
            (Some((_, step)), None) if step.children.is_empty() => self.merged(item, step, depth),
            (Some((_, first)), Some(_)) if self.fold >= Fold::Done => {
                let last = self.tree.nodes(&item.children).next_back().map_or(first, |(_, step)| step);
                self.merged(item, last, depth);
            }
            _ => self.node(item, depth),
        }
    }

    fn merged(&mut self, item: &Node, step: &Node, depth: usize) {
        // A title mostly says which item it is of; a bare name says nothing.
        let label =
            if step.label.contains(' ') { step.label.clone() } else { format!("{} {}", item.label, step.label) };
        let worst = self.tree.state(item);
        let state = if worst == State::Failed { worst } else { self.tree.state(step) };
        self.line(step, state, &label, depth);
    }

    /// Of many items: those that failed and those that run, and how many more there are.
    fn some_items(&mut self, children: &[usize], node: &Node, depth: usize) {
        let (mut failed, mut running, mut through) = (Vec::new(), Vec::new(), Vec::new());
        for (_, item) in self.tree.nodes(children).filter(|(_, child)| child.kind == Kind::Item) {
            match self.tree.state(item) {
                State::Failed => failed.push(item),
                State::Running | State::Waiting | State::Asking => running.push(item),
                State::Completed | State::Skipped | State::Cancelled => through.push(item),
            }
        }
        let most = if self.fold == Fold::Most { 2 } else { SHOWN };
        for (what, items) in [("failed", failed), ("in flight", running)] {
            if node.state.settled() && what != "failed" {
                continue;
            }
            for item in items.iter().take(most) {
                self.item(item, depth);
            }
            if items.len() > most {
                self.aside(depth, &format!("… and {} more {what}", items.len() - most));
            }
        }
        if self.canvas.view != View::Live && !through.is_empty() {
            let took = |item: &&Node| match self.tree.extent(item) {
                (Some(from), Some(to)) => to.duration_since(from),
                _ => jiff::SignedDuration::ZERO,
            };
            through.sort_by_key(|item| std::cmp::Reverse(took(item)));
            let others = through.split_off(through.len().min(most));
            self.aside(depth, "the slowest:");
            for item in through {
                self.item(item, depth);
            }
            if !others.is_empty() {
                self.aside(depth, &format!("… and {} more", others.len()));
            }
        }
    }

    /// Steps of the body that have not begun; after the end there is nothing to wait for.
    fn planned(&mut self) {
        if self.tree.end.is_some() {
            return;
        }
        for (name, label) in &self.canvas.planned {
            if !self.tree.has_begun(name) {
                self.aside(usize::from(self.canvas.view == View::Live), &format!("○ {label}"));
            }
        }
    }

    fn aside(&mut self, depth: usize, text: &str) {
        let text = truncate_str(text, self.canvas.columns.saturating_sub(depth * 2), "…");
        let text = self.canvas.paint.clone().dim().apply_to(text).to_string();
        self.lines.push(format!("{}{text}", "  ".repeat(depth)));
    }

    /// One line: the icon, the label, what there is to say, and the duration at the right edge.
    fn line(&mut self, node: &Node, state: State, label: &str, depth: usize) {
        if self.canvas.view == View::Timeline {
            self.lines.push(timeline::row(self.tree, node, (state, label), depth, self.canvas));
            return;
        }
        let paint = &self.canvas.paint;
        let indent = "  ".repeat(depth);
        let (icon, style) = match state {
            State::Running if self.canvas.view == View::Kept => ("▶", paint.clone().cyan()),
            State::Running => {
                (SPINNER.get(self.canvas.tick % SPINNER.len()).copied().unwrap_or("·"), paint.clone().cyan())
            }
            State::Waiting => ("↻", paint.clone().yellow()),
            State::Asking => ("?", paint.clone().yellow()),
            State::Completed => ("✓", paint.clone().green()),
            State::Failed => ("✗", paint.clone().red()),
            State::Skipped => ("⊘", paint.clone().dim()),
            State::Cancelled => ("⊘", paint.clone().yellow()),
        };
        let time = match node.duration_ms {
            Some(millis) => in_brief(millis),
            None if state.settled() => String::new(),
            None => since(node.started, self.canvas.now).map(in_brief).unwrap_or_default(),
        };
        let room = self.canvas.columns.saturating_sub(indent.len() + 2 + 8);
        let label = truncate_str(label, room, "…");
        let said = self.said(node, state);
        let left = room.saturating_sub(measure_text_width(&label) + 2);
        let said = if left >= 4 { truncate_str(&said, left, "…") } else { "".into() };
        let label =
            if state == State::Skipped { paint.clone().dim().apply_to(label).to_string() } else { label.into_owned() };
        let body = if said.is_empty() { label } else { format!("{label}  {said}") };
        let gap = " ".repeat(room.saturating_sub(measure_text_width(&body)));
        let time = paint.clone().dim().apply_to(format!("{time:>8}"));
        self.lines.push(format!("{indent}{} {body}{gap}{time}", style.apply_to(icon)).trim_end().to_owned());
    }

    /// A fan-out's bar and counts, a round's number, the reason of a failure or wait.
    fn said(&self, node: &Node, state: State) -> String {
        let paint = &self.canvas.paint;
        let mut said = Vec::new();
        if let Some(items) = node.items {
            said.push(self.fan(self.tree.fan(node), items as usize, state));
        }
        if let Some(round) = self.tree.round(node) {
            said.push(paint.clone().dim().apply_to(&round.label).to_string());
        }
        if node.attempt > 1 && state == State::Running {
            said.push(paint.clone().yellow().apply_to(format!("attempt {}", node.attempt)).to_string());
        }
        let style = match state {
            State::Failed => paint.clone().red(),
            State::Waiting | State::Asking => paint.clone().yellow(),
            _ => paint.clone().dim(),
        };
        if !node.note.is_empty() && (node.state != State::Running || node.attempt == 1) {
            said.push(style.apply_to(&node.note).to_string());
        }
        if self.canvas.view == View::Kept {
            let attempts =
                (node.attempt > 1 && state == State::Completed).then(|| format!("{} attempts", node.attempt));
            let facts: Vec<String> = attempts.into_iter().chain(spent(&node.usage)).collect();
            if !facts.is_empty() {
                said.push(paint.clone().dim().apply_to(facts.join(" · ")).to_string());
            }
        }
        said.join("  ")
    }

    fn fan(&self, fan: Fan, items: usize, state: State) -> String {
        let paint = &self.canvas.paint;
        let counts = format!("{}/{items}", fan.done);
        let counts = if state == State::Completed { paint.clone().dim().apply_to(counts).to_string() } else { counts };
        let failed = match fan.failed {
            0 => String::new(),
            some => format!(" · {}", paint.clone().red().apply_to(format!("{some} failed"))),
        };
        if state.settled() {
            return format!("{counts}{failed}");
        }
        let filled = (BAR * fan.done).checked_div(items).unwrap_or(BAR).min(BAR);
        let bar = paint.clone().cyan().apply_to("━".repeat(filled));
        let rest = paint.clone().dim().apply_to("─".repeat(BAR - filled));
        format!("{bar}{rest} {counts}{failed}")
    }
}

pub(super) fn since(start: Option<Timestamp>, now: Timestamp) -> Option<u64> {
    Some(u64::try_from(now.duration_since(start?).as_millis()).unwrap_or_default())
}

pub(super) fn in_brief(millis: u64) -> String {
    brief(std::time::Duration::from_millis(millis))
}
