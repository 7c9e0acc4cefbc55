//! Compiles every migration in: a report is one `.sql` file, and nothing else names it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let directory = fs::canonicalize("../../deploy/clickhouse")?;
    let mut list = String::from("&[\n");
    let mut files: Vec<_> = fs::read_dir(&directory)?.collect::<Result<_, _>>()?;
    files.sort_by_key(fs::DirEntry::file_name);
    for file in files.iter().map(fs::DirEntry::path).filter(|path| path.extension().is_some_and(|of| of == "sql")) {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        writeln!(list, "    ({name:?}, include_str!({:?})),", file.display().to_string())?;
    }
    list.push_str("]\n");
    #[expect(clippy::disallowed_methods, reason = "cargo tells a build script where to write by the environment")]
    let out = env::var("OUT_DIR")?;
    fs::write(Path::new(&out).join("migrations.rs"), list)?;
    writeln!(std::io::stdout(), "cargo::rerun-if-changed={}", directory.display())?;
    Ok(())
}
