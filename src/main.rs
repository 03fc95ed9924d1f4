use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|command| command == tokenscope::model::check::SUBCOMMAND) {
        let path = args.next().map(PathBuf::from).unwrap_or_default();
        return tokenscope::model::check::run_child_check(&path, tokenscope::engine::trial::run);
    }
    ExitCode::SUCCESS
}
