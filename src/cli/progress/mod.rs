//! How a run is shown while it goes on: a live tree of its steps on a terminal, plain lines elsewhere.

mod draw;
mod path;
mod plain;
#[cfg(test)]
mod tests;
mod timeline;
mod tree;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use console::{Style, Term};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use self::draw::{Canvas, View};
use self::tree::{State, Tree};
use super::output::{brief, columns, count, err, paint, watched};
use crate::program::{Block, Expr, Flow, Stmt, TemplatePart};
use crate::run::{Event, EventKind};

/// How often the picture is drawn anew.
pub(super) const FRAME: Duration = Duration::from_millis(80);

/// Shows a run.
pub(super) struct Progress {
    tree: Tree,
    planned: Vec<(String, String)>,
    remark: String,
    tick: usize,
    /// Nothing is drawn while someone types.
    held: bool,
    shown: Shown,
}

/// The picture on the terminal, for who writes beside it.
static SCREEN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Writes to standard error while the picture, if there is one, is out of the way.
pub(super) fn beside<T>(write: impl FnOnce() -> T) -> T {
    let screen = SCREEN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match screen {
        Some(screen) => screen.suspend(write),
        None => write(),
    }
}

/// Where a run is shown.
enum Shown {
    /// As a picture that is drawn anew.
    Live(ProgressBar),
    /// Line by line.
    Lines,
    /// Not at all.
    Not,
}

impl Progress {
    /// Shows a run of this flow on standard error, or only keeps count of it.
    pub(super) fn new(flow: &Flow, show: bool) -> Self {
        let shown = match (show, watched()) {
            (false, _) => Shown::Not,
            (true, false) => Shown::Lines,
            (true, true) => {
                let style = ProgressStyle::with_template("{msg}").unwrap_or(ProgressStyle::default_bar());
                let screen = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(30));
                let screen = screen.with_style(style);
                *SCREEN.lock().unwrap_or_else(PoisonError::into_inner) = Some(screen.clone());
                Shown::Live(screen)
            }
        };
        let mut planned = Vec::new();
        body_steps(&flow.body, &mut planned);
        Self { tree: Tree::default(), planned, remark: String::new(), tick: 0, held: false, shown }
    }

    /// Whether it is to be drawn again and again.
    pub(super) fn live(&self) -> bool {
        matches!(self.shown, Shown::Live(_))
    }

    /// The title or name of the step of a path.
    pub(super) fn label(&self, path: &str) -> Option<&str> {
        self.tree.label(path)
    }

    /// Takes an event.
    pub(super) fn event(&mut self, event: &Event) {
        self.tree.apply(event);
        match &self.shown {
            Shown::Live(screen) => {
                if let EventKind::Emitted { value, .. } = &event.kind {
                    let said = paint().dim().apply_to(format!("◆ {}", value.to_json_text())).to_string();
                    screen.suspend(|| err(console::truncate_str(&said, columns(), "…")));
                }
            }
            Shown::Lines => {
                if let Some(line) = plain::line(event, &self.tree) {
                    err(line);
                }
            }
            Shown::Not => {}
        }
    }

    /// Says that the run was asked to end.
    pub(super) fn cancelling(&mut self) {
        "cancelling and undoing; Ctrl-C again quits at once".clone_into(&mut self.remark);
        match self.shown {
            Shown::Live(_) => self.frame(),
            Shown::Lines | Shown::Not => err(&self.remark),
        }
    }

    /// Takes the picture away while someone is asked, and lets it come back.
    pub(super) fn hold(&mut self, held: bool) {
        self.held = held;
        if let (Shown::Live(screen), true) = (&self.shown, held) {
            screen.set_message("");
            screen.tick();
        }
    }

    /// Draws the next picture.
    pub(super) fn frame(&mut self) {
        if self.held {
            return;
        }
        self.tick += 1;
        if let Shown::Live(screen) = &self.shown {
            // The `^C` that a terminal shows goes onto a line of its own and so leaves the picture's first line behind:
            // an empty one.
            screen.set_message(format!("\n{}", self.picture().join("\n")));
        }
    }

    /// Takes the picture away.
    pub(super) fn clear(&self) {
        if let Shown::Live(screen) = &self.shown {
            *SCREEN.lock().unwrap_or_else(PoisonError::into_inner) = None;
            screen.finish_and_clear();
        }
    }

    /// Leaves the last picture where it is and says how the run ended.
    pub(super) fn finish(&mut self) {
        self.remark.clear();
        self.clear();
        if self.live() {
            for line in self.picture() {
                err(line);
            }
        }
        if let (Some(summary), false) = (self.summary(), matches!(self.shown, Shown::Not)) {
            err(summary);
        }
    }

    fn picture(&self) -> Vec<String> {
        let (lines, columns) = Term::stderr().size();
        let canvas = Canvas {
            columns: usize::from(columns).clamp(20, 100),
            // Less the prompt's and the empty one above.
            lines: usize::from(lines).saturating_sub(2).max(5),
            #[allow(clippy::disallowed_methods, reason = "the picture is for a person who watches now")]
            now: Timestamp::now(),
            tick: self.tick,
            paint: paint(),
            planned: self.planned.clone(),
            remark: self.remark.clone(),
            view: View::Live,
        };
        draw::picture(&self.tree, &canvas)
    }

    /// `✓ multi_scrape completed in 3.2s: 12 steps, 1 failed, 3 retries`
    fn summary(&self) -> Option<String> {
        let end = self.tree.end.as_ref()?;
        let tally = self.tree.tally;
        let (icon, word, style) = match end.how {
            State::Completed => ("✓", "completed", paint().green()),
            State::Cancelled => ("⊘", "cancelled", paint().yellow()),
            _ => ("✗", "failed", paint().red()),
        };
        let steps = tally.completed + tally.failed + tally.cancelled;
        let mut facts = vec![count(steps, "step")];
        for (number, what) in [(tally.failed, "failed"), (tally.skipped, "skipped"), (tally.cancelled, "cancelled")] {
            if number > 0 {
                facts.push(format!("{number} {what}"));
            }
        }
        match tally.retries {
            0 => {}
            1 => facts.push("1 retry".to_owned()),
            more => facts.push(format!("{more} retries")),
        }
        let took = brief(Duration::from_millis(end.duration_ms));
        Some(format!("{} {} {word} in {took}: {}", style.apply_to(icon), self.tree.flow, facts.join(", ")))
    }
}

/// How a run that is kept is drawn.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    /// How wide.
    pub(super) columns: usize,
    /// The moment it is looked at.
    pub(super) now: Timestamp,
    /// The style to begin from.
    pub(super) paint: Style,
    /// Whether as bars over the run's time.
    pub(super) timeline: bool,
}

/// The steps of a run that is kept, as a tree, one a line.
pub(super) fn kept<'a>(flow: Option<&Flow>, events: impl Iterator<Item = &'a Event>, sheet: &Sheet) -> Vec<String> {
    let mut tree = Tree::default();
    events.for_each(|event| tree.apply(event));
    let mut planned = Vec::new();
    if let Some(flow) = flow {
        body_steps(&flow.body, &mut planned);
    }
    let canvas = Canvas {
        columns: sheet.columns,
        lines: usize::MAX,
        now: sheet.now,
        tick: 0,
        paint: sheet.paint.clone(),
        planned,
        remark: String::new(),
        view: if sheet.timeline { View::Timeline } else { View::Kept },
    };
    draw::outline(&tree, &canvas)
}

/// The named and titled steps of a body, in the order of the text; those of branches only where they surely come.
fn body_steps(block: &Block, found: &mut Vec<(String, String)>) {
    for stmt in &block.stmts {
        let Stmt::Step(step) = stmt else { continue };
        let title = step.title.as_ref().and_then(constant_title);
        if step.name.is_some() || title.is_some() {
            let label = title.unwrap_or_else(|| step.name.clone().unwrap_or_default().to_string());
            found.push((step.segment.to_string(), label));
        }
    }
}

/// A title that is known before the run.
fn constant_title(title: &Expr) -> Option<String> {
    match title {
        Expr::Const(constant) => constant.0.as_str().map(str::to_owned),
        Expr::Template(parts) => match parts.as_slice() {
            [TemplatePart::Text(text)] => Some(text.to_string()),
            _ => None,
        },
        _ => None,
    }
}
