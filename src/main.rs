//! The command line of Flow. All of it is in [`flowc::cli`].

fn main() -> std::process::ExitCode {
    flowc::cli::main()
}
