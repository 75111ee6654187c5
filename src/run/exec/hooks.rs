//! The hooks around a tool call, and around the partial output on its way.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::run::ports::{Hook, Report, Tool, ToolContext, ToolError, Usage};
use crate::types::Signature;
use crate::value::Value;

/// How many outputs may wait for the hooks; a tool that is faster than they are loses those beyond.
const WAITING: usize = 256;

/// Calls a tool within its hooks: the first one is outermost.
pub(super) async fn hooked(
    hooks: &[Arc<dyn Hook>],
    tool: &dyn Tool,
    signature: &Signature,
    args: Value,
    context: ToolContext<'_>,
) -> Result<Value, ToolError> {
    for hook in hooks {
        hook.before(signature, &args).await?;
    }
    let (sender, mut outputs) = mpsc::channel(WAITING);
    let calling = async move {
        let report = Queue { sender, report: context.report };
        tool.call(args, ToolContext { report: &report, ..context }).await
    };
    // The queue ends with the call, so no output is lost that was made before it.
    let handing_on = async {
        while let Some(mut output) = outputs.recv().await {
            for hook in hooks.iter().rev() {
                output = hook.output(signature, output, context).await;
            }
            context.report.output(output);
        }
    };
    let (mut result, ()) = futures::join!(calling, handing_on);
    for hook in hooks.iter().rev() {
        result = hook.after(signature, result, context).await;
    }
    result
}

/// Lets partial output wait for the hooks, which may take their time.
struct Queue<'a> {
    sender: mpsc::Sender<Value>,
    report: &'a dyn Report,
}

impl Report for Queue<'_> {
    fn output(&self, value: Value) {
        if self.sender.try_send(value).is_err() {
            tracing::warn!("partial output was dropped: {WAITING} wait already");
        }
    }

    fn usage(&self, usage: Usage) {
        self.report.usage(usage);
    }
}
