//! The files of the repository as checks see them.

use std::path::Path;

const TEXT: [&str; 12] = ["rs", "py", "sql", "sh", "ts", "toml", "md", "json", "yaml", "yml", "avsc", "css"];
const SKIPPED: [&str; 4] = ["target", "node_modules", "__pycache__", "venv"];

/// One text file.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// From the repository's root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    pub(crate) fn has_ending(&self, endings: &[&str]) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, ending)| endings.contains(&ending))
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.has_ending(&["rs"])
    }

    /// The path within the service's `src/`.
    pub(crate) fn in_sources_of(&self, service: &str) -> Option<&str> {
        self.path.strip_prefix(&format!("services/{service}/src/"))
    }

    /// Lines that are not comments, with their numbers.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(number, line)| (number + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

/// All text files.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
}

impl Tree {
    pub(crate) fn of_this_repository() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut tree = Self::default();
        tree.add(root, root);
        assert!(tree.files.len() > 100, "found only {} files under {}", tree.files.len(), root.display());
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        tree
    }

    /// A made-up tree.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File { path: (*path).to_owned(), text: (*text).to_owned() };
        Self { files: files.iter().map(file).collect() }
    }

    pub(crate) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_rust())
    }

    pub(crate) fn manifests(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with("/Cargo.toml"))
    }

    /// Whether a file is a module that is there in tests only.
    pub(crate) fn is_test_module(&self, file: &File) -> bool {
        let (directory, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
        let stem = name.strip_suffix(".rs").unwrap_or(name);
        let declared = ["", "pub ", "pub(crate) "].map(|seen| format!("#[cfg(test)]\n{seen}mod {stem};"));
        let (outer, _) = directory.rsplit_once('/').unwrap_or_default();
        let parents = [format!("{directory}/mod.rs"), format!("{directory}.rs"), format!("{outer}/mod.rs")];
        let parents = self.files.iter().filter(|file| parents.contains(&file.path));
        parents.into_iter().any(|parent| declared.iter().any(|line| parent.text.contains(line)))
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.files.iter().any(|file| file.path == path)
    }

    fn add(&mut self, root: &Path, directory: &Path) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let is_hidden = name.starts_with('.') && name != ".ci";
            if is_hidden || SKIPPED.contains(&name.as_str()) || path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                self.add(root, &path);
                continue;
            }
            let ending = path.extension().map(|ending| ending.to_string_lossy().into_owned());
            if ending.is_some_and(|ending| !TEXT.contains(&ending.as_str())) {
                continue;
            }
            // a file without an ending may be a program
            if let Ok(text) = std::fs::read_to_string(&path) {
                let path = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
                self.files.push(File { path, text });
            }
        }
    }
}

/// The services, by directory.
pub(crate) const SERVICES: [&str; 7] = ["ingest", "threading", "routing", "delivery", "analytics", "gateway", "cli"];

#[test]
fn comments_are_not_code() {
    let tree = Tree::of(&[("a.rs", "// one\ntwo\n  /// three\n")]);
    assert_eq!(tree.files[0].code().collect::<Vec<_>>(), [(2, "two")]);
}

#[test]
fn a_module_declared_for_tests_is_known_as_one() {
    let files = [("a/mod.rs", "mod b;\n#[cfg(test)]\nmod c;\n"), ("a/b.rs", ""), ("a/c.rs", "")];
    let tree = Tree::of(&files);
    assert_eq!(tree.files.iter().map(|file| tree.is_test_module(file)).collect::<Vec<_>>(), [false, false, true]);
}
