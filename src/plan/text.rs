//! A plan as people read it.

use std::fmt;

use crate::plan::{Plan, Safety};
use crate::types::Text;
use crate::value::format_duration;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} — {}", self.flow, count(self.steps, "step"))?;
        if let Some(line) = self.doc.lines().next() {
            writeln!(f, "  {line}")?;
        }
        writeln!(f)?;
        let widest = self.tools.iter().map(|tool| tool.name.chars().count()).max().unwrap_or(0);
        for tool in &self.tools {
            let safety = match tool.safety {
                Safety::ReadOnly => "reads only",
                Safety::Repeatable => "may be repeated",
                Safety::Destructive => "may destroy",
                Safety::Unknown => "says nothing of its safety",
            };
            writeln!(f, "  {:widest$}  at most {} ({} with retries), {safety}", tool.name, tool.calls, tool.attempts)?;
        }
        if self.tools.is_empty() {
            writeln!(f, "  calls no tools")?;
        }
        writeln!(f)?;
        writeln!(
            f,
            "  calls     at least {}, at most {}; {} with retries",
            self.calls_at_least, self.calls, self.attempts
        )?;
        writeln!(f, "  at once   at most {}", self.at_once)?;
        match self.usd {
            Some(usd) if usd > 0.0 => {
                let silent = match self.unpriced.len() {
                    0 => String::new(),
                    n => format!(", and what {} cost that do not say", count(n as u64, "tool")),
                };
                writeln!(f, "  costs     at most {usd:.4} USD with retries{silent}")?;
            }
            Some(_) => {}
            None => writeln!(f, "  costs     depends on the input")?,
        }
        listed(f, "flows    ", &self.flows)?;
        listed(f, "secrets  ", &self.secrets)?;
        listed(f, "hosts    ", &self.hosts)?;
        self.bounds(f)
    }
}

impl Plan {
    fn bounds(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bounds = Vec::new();
        if let Some(usd) = self.budget.usd {
            bounds.push(format!("{usd} USD"));
        }
        if let Some(calls) = self.budget.calls {
            bounds.push(count(calls, "call"));
        }
        if let Some(tokens) = self.budget.tokens {
            bounds.push(count(tokens, "token"));
        }
        if let Some(timeout) = self.timeout {
            bounds.push(format_duration(timeout as i64));
        }
        if bounds.is_empty() { Ok(()) } else { writeln!(f, "  budget    {}", bounds.join(", ")) }
    }
}

fn count(n: u64, of: &str) -> String {
    if n == 1 { format!("1 {of}") } else { format!("{n} {of}s") }
}

fn listed(f: &mut fmt::Formatter<'_>, what: &str, names: &[Text]) -> fmt::Result {
    if names.is_empty() { Ok(()) } else { writeln!(f, "  {what} {}", names.join(", ")) }
}
