//! What asks the process to end.

/// Ctrl-C, and what else asks a process to end. Listening has to last as long as the run: a signal that comes while no
/// one listens is lost.
pub(super) struct Interrupts {
    #[cfg(unix)]
    signals: Option<[tokio::signal::unix::Signal; 2]>,
}

impl Interrupts {
    #[cfg(unix)]
    pub(super) fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let signals = signal(SignalKind::interrupt()).and_then(|int| Ok([int, signal(SignalKind::terminate())?]));
        Self { signals: signals.ok() }
    }

    #[cfg(unix)]
    pub(super) async fn next(&mut self) {
        match &mut self.signals {
            Some([int, term]) => {
                tokio::select! {
                    _ = int.recv() => {}
                    _ = term.recv() => {}
                }
            }
            None => std::future::pending().await,
        }
    }

    #[cfg(not(unix))]
    pub(super) fn listen() -> Self {
        Self {}
    }

    #[cfg(not(unix))]
    pub(super) async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
