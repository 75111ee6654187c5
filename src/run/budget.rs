//! `@budget`: what a flow, and all that it calls, may spend.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::program::Budget;
use crate::run::limits::Limits;
use crate::run::ports::Usage;
use crate::types::Text;

/// The accounts of a flow with a budget and of those around it: outermost what the operator lets runs spend.
pub(crate) struct Account {
    /// Whose it is, and what raises its bound: for messages.
    whose: String,
    raise: &'static str,
    budget: Budget,
    spent: Mutex<Spent>,
    around: Option<Arc<Account>>,
}

#[derive(Clone, Copy, Default)]
struct Spent {
    calls: u64,
    tokens: u64,
    usd: f64,
}

impl Account {
    /// Opens the account of a flow within that of its caller; the caller's is kept where the flow has no budget.
    pub(crate) fn open(flow: &Text, budget: &Budget, around: Option<&Arc<Account>>) -> Option<Arc<Account>> {
        if *budget == Budget::default() {
            return around.cloned();
        }
        let whose = format!("`{flow}`");
        let spent = Mutex::default();
        Some(Arc::new(Account { whose, raise: "`@budget(usd: …)`", budget: *budget, spent, around: around.cloned() }))
    }

    /// The account of a run, within what all runs may spend in a day.
    pub(crate) fn of_run(limits: &Limits, day: Option<&Arc<Account>>) -> Option<Arc<Account>> {
        let Some(usd) = limits.usd_per_run else { return day.cloned() };
        let budget = Budget { usd: Some(usd), ..Budget::default() };
        let (whose, raise) = ("the run".to_owned(), "`usd_per_run`");
        Some(Arc::new(Account { whose, raise, budget, spent: Mutex::default(), around: day.cloned() }))
    }

    /// The account of all runs within 24 hours.
    pub(crate) fn of_day(limits: &Limits) -> Option<Arc<Account>> {
        let budget = Budget { usd: Some(limits.usd_per_day?), ..Budget::default() };
        let (whose, raise) = ("all runs of 24 hours".to_owned(), "`usd_per_day`");
        Some(Arc::new(Account { whose, raise, budget, spent: Mutex::default(), around: None }))
    }

    /// Takes note of what was spent in truth, by other processes too.
    pub(crate) fn correct(&self, usd: f64) {
        self.lock().usd = usd;
    }

    /// Enters one call that may cost `usd`.
    ///
    /// # Errors
    /// Which budget it would exceed; then nothing is entered.
    pub(crate) fn enter(&self, usd: f64) -> Result<(), String> {
        let mut spent = self.lock();
        let Budget { usd: most_usd, calls, tokens } = self.budget;
        let Self { whose, raise, .. } = self;
        if let Some(calls) = calls
            && spent.calls >= calls
        {
            return Err(format!("{whose} may make no more tool calls than {calls}: raise `@budget(calls: …)`"));
        }
        if let Some(most) = most_usd
            && (spent.usd + usd > most || (usd == 0.0 && spent.usd >= most))
        {
            return Err(format!("{whose} may spend {most} USD, {:.4} are spent: raise {raise}", spent.usd));
        }
        if let Some(tokens) = tokens
            && spent.tokens >= tokens
        {
            let used = spent.tokens;
            return Err(format!("{whose} may use {tokens} tokens, and has used {used}: raise `@budget(tokens: …)`"));
        }
        if let Some(around) = &self.around {
            around.enter(usd)?;
        }
        spent.calls += 1;
        spent.usd += usd;
        Ok(())
    }

    /// Enters a call that an earlier life of the run made.
    pub(crate) fn repeat(&self, usd: f64, usage: &Usage) {
        let mut account = Some(self);
        while let Some(it) = account {
            let mut spent = it.lock();
            spent.calls += 1;
            spent.usd += usd;
            account = it.around.as_deref();
        }
        self.settle(usd, usage);
    }

    /// Settles a call that was entered at `usd`: what it reported counts instead where it reported money.
    pub(crate) fn settle(&self, usd: f64, usage: &Usage) {
        let mut spent = self.lock();
        spent.tokens += usage.input_tokens + usage.output_tokens;
        if usage.usd > 0.0 {
            spent.usd += usage.usd - usd;
        }
        drop(spent);
        if let Some(around) = &self.around {
            around.settle(usd, usage);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Spent> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
