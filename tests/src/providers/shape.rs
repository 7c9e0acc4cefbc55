//! Strict reading of JSON: every field is known, of the right type, within its limits.

use serde_json::{Map, Value};

/// What is wrong, in words.
pub(crate) type Problem = String;

/// An object that is read field by field; what nobody asked for is unknown.
pub(crate) struct Shape<'a> {
    path: String,
    fields: &'a Map<String, Value>,
    asked: Vec<&'static str>,
}

impl<'a> Shape<'a> {
    pub(crate) fn of(value: &'a Value, path: &str) -> Result<Self, Problem> {
        let fields = value.as_object().ok_or_else(|| format!("{path}: expected an object"))?;
        Ok(Self { path: path.to_owned(), fields, asked: Vec::new() })
    }

    pub(crate) fn get(&mut self, name: &'static str) -> Option<&'a Value> {
        self.asked.push(name);
        self.fields.get(name)
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    pub(crate) fn text(&mut self, name: &'static str) -> Result<Option<&'a str>, Problem> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.as_str() {
            Some(text) if !text.is_empty() => Ok(Some(text)),
            _ => Err(format!("{}: expected a non-empty string", self.path_of(name))),
        }
    }

    pub(crate) fn needed(&mut self, name: &'static str) -> Result<&'a str, Problem> {
        self.text(name)?.ok_or_else(|| format!("{}: is required", self.path_of(name)))
    }

    pub(crate) fn one_of(&mut self, name: &'static str, values: &[&str]) -> Result<&'a str, Problem> {
        let text = self.needed(name)?;
        if values.contains(&text) {
            return Ok(text);
        }
        Err(format!("{}: expected one of {}, found {text}", self.path_of(name), values.join(", ")))
    }

    pub(crate) fn limited(&mut self, name: &'static str, chars_max: usize) -> Result<Option<&'a str>, Problem> {
        let text = self.text(name)?;
        match text.map(|text| text.chars().count()) {
            Some(length) if length > chars_max => {
                Err(format!("{}: expected at most {chars_max} characters, found {length}", self.path_of(name)))
            }
            _ => Ok(text),
        }
    }

    pub(crate) fn link(&mut self, name: &'static str) -> Result<Option<&'a str>, Problem> {
        match self.text(name)? {
            Some(link) if !link.starts_with("https://") && !link.starts_with("http://") => {
                Err(format!("{}: expected an http or https address", self.path_of(name)))
            }
            link => Ok(link),
        }
    }

    pub(crate) fn flag(&mut self, name: &'static str) -> Result<(), Problem> {
        match self.get(name) {
            Some(value) if !value.is_boolean() => Err(format!("{}: expected true or false", self.path_of(name))),
            _ => Ok(()),
        }
    }

    pub(crate) fn inner(&mut self, name: &'static str) -> Result<Self, Problem> {
        let path = self.path_of(name);
        let value = self.get(name).ok_or_else(|| format!("{path}: is required"))?;
        Self::of(value, &path)
    }

    /// Nothing is left that was not asked for.
    pub(crate) fn end(self) -> Result<(), Problem> {
        match self.fields.keys().find(|name| !self.asked.contains(&name.as_str())) {
            Some(name) => Err(format!("{}: unknown field", self.path_of(name))),
            None => Ok(()),
        }
    }
}
