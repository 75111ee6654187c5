//! `@budget`: what a flow, and all that it calls, may spend.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::program::Budget;
use crate::run::ports::Usage;
use crate::types::Text;

/// The accounts of a flow with a budget and of those around it.
pub(crate) struct Account {
    flow: Text,
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
        let account = Account { flow: flow.clone(), budget: *budget, spent: Mutex::default(), around: around.cloned() };
        Some(Arc::new(account))
    }

    /// Enters one call that may cost `usd`.
    ///
    /// # Errors
    /// Which budget it would exceed; then nothing is entered.
    pub(crate) fn enter(&self, usd: f64) -> Result<(), String> {
        let mut spent = self.lock();
        let Budget { usd: most_usd, calls, tokens } = self.budget;
        let flow = &self.flow;
        if let Some(calls) = calls
            && spent.calls >= calls
        {
            return Err(format!("`{flow}` may make {calls} tool calls, and has made them: raise `@budget(calls: …)`"));
        }
        if let Some(most) = most_usd
            && (spent.usd + usd > most || (usd == 0.0 && spent.usd >= most))
        {
            return Err(format!(
                "`{flow}` may spend {most} USD, and has spent {:.4}: raise `@budget(usd: …)`",
                spent.usd
            ));
        }
        if let Some(tokens) = tokens
            && spent.tokens >= tokens
        {
            let used = spent.tokens;
            return Err(format!("`{flow}` may use {tokens} tokens, and has used {used}: raise `@budget(tokens: …)`"));
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
