//! Where in a marked-up document a value stands, as far as that says what it is called.
//!
//! XML: the elements around it; the name that a generic element carries (`<entry key="password">`). HTML: the row's or
//! column's heading in a table, the term of a description list, the label of an input, a text that ends in a colon.

use super::markup::Dialect;
use crate::inspect::leaf::Path;

/// Follows the tags of a document.
#[derive(Debug)]
pub(super) struct Outline {
    dialect: Dialect,
    base: usize,
    /// Path of the text at hand (XML: of the open elements).
    path: Path,
    /// XML: steps of the path before each open element.
    depths: Vec<usize>,
    /// XML: open elements that are too deep for the path.
    beyond: u64,
    /// Path of the attribute at hand.
    attribute: Path,
    /// Path of what has no name.
    unnamed: Path,
    /// The name that the tag at hand gives to its value.
    label: Vec<u8>,
    /// XML: that name is the last step of the path.
    labelled: bool,
    table: Table,
    /// A text that ended in a colon: the name of the next text.
    announced: Vec<u8>,
    role: Role,
}

/// What the text at hand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Other,
    /// `th` or `dt`: a heading.
    Heading,
    /// `td` or `dd`.
    Cell,
    /// `label`.
    Label,
}

/// The headings of a table.
#[derive(Debug, Default)]
struct Table {
    columns: Vec<Box<[u8]>>,
    row: Vec<Box<[u8]>>,
    cells: usize,
    /// The row has cells that are no headings.
    data: bool,
}

impl Outline {
    pub(super) fn new(dialect: Dialect, path: Path) -> Self {
        Self {
            dialect,
            base: path.depth(),
            attribute: path.clone(),
            unnamed: path.clone(),
            path,
            depths: Vec::new(),
            beyond: 0,
            label: Vec::new(),
            labelled: false,
            table: Table::default(),
            announced: Vec::new(),
            role: Role::Other,
        }
    }

    /// An element begins.
    pub(super) fn open<'a>(
        &mut self,
        name: &[u8],
        attributes: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone,
    ) {
        self.label.clear();
        let labelled = NAMING
            .iter()
            .find_map(|naming| {
                let mut list = attributes.clone();
                list.find(|(name, _)| name.eq_ignore_ascii_case(naming))
            })
            .map(|(_, value)| value);
        if let Some(value) = labelled {
            self.label
                .extend_from_slice(value.get(..LABEL_BYTES).unwrap_or(value));
        }
        match self.dialect {
            Dialect::Xml => self.open_xml(name),
            Dialect::Html => {
                let masked = attributes.clone().any(|(name, value)| {
                    name == b"type" && value.eq_ignore_ascii_case(b"password")
                });
                if masked {
                    self.label.clear();
                    self.label.extend_from_slice(b"password");
                }
                self.open_html(name);
            }
        }
    }

    /// An element ends.
    pub(super) fn close(&mut self, name: &[u8]) {
        match self.dialect {
            Dialect::Xml if self.beyond > 0 => self.beyond -= 1,
            Dialect::Xml => {
                if let Some(depth) = self.depths.pop() {
                    self.path.truncate(depth);
                }
            }
            Dialect::Html => self.close_html(name),
        }
    }

    /// True inside an XML element that another one holds.
    pub(super) fn is_inside(&self) -> bool {
        self.dialect == Dialect::Xml && self.beyond == 0 && self.depths.len() > 1
    }

    /// The path of the text at hand.
    pub(super) fn text(&self) -> &Path {
        &self.path
    }

    /// The path of a comment: in HTML no label names it.
    pub(super) fn comment(&self) -> &Path {
        match self.dialect {
            Dialect::Xml => &self.path,
            Dialect::Html => &self.unnamed,
        }
    }

    /// The path of an attribute of the tag at hand.
    pub(super) fn attribute(&mut self, name: &[u8]) -> &Path {
        self.attribute.assign(&self.path);
        let names = |known: &&[u8]| known.eq_ignore_ascii_case(name);
        if self.dialect == Dialect::Html {
            self.attribute.truncate(self.base);
        } else if self.labelled && NAMING.iter().any(names) {
            // In `<entry key="clientSecret">` the name is no value of that name.
            self.attribute.truncate(self.path.depth().saturating_sub(1));
        }
        let value = VALUES.iter().any(|known| known.eq_ignore_ascii_case(name));
        if value && !self.label.is_empty() {
            self.attribute.push_name(&self.label);
        }
        self.attribute.push_attribute(name);
        &self.attribute
    }

    /// The text at hand was `text`.
    pub(super) fn read(&mut self, text: &[u8]) {
        let text = text.trim_ascii();
        if self.dialect == Dialect::Xml || text.is_empty() {
            return;
        }
        let short = text.len() <= LABEL_BYTES;
        match self.role {
            Role::Heading if short => {
                if let Some(last) = self.table.row.last_mut() {
                    *last = text.into();
                }
            }
            Role::Label if short => {
                self.announced.clear();
                self.announced.extend_from_slice(text);
            }
            Role::Heading | Role::Label | Role::Cell => {}
            Role::Other => {
                self.announced.clear();
                let tail = text
                    .get(text.len().saturating_sub(LABEL_BYTES)..)
                    .unwrap_or(text);
                if let Some(name) = tail.strip_suffix(b":") {
                    // Only the last words before the colon can be a name.
                    let from = name
                        .iter()
                        .rposition(|byte| b".,;!?\n".contains(byte))
                        .map_or(0, |at| at + 1);
                    self.announced
                        .extend_from_slice(name.get(from..).unwrap_or(name));
                }
                self.name_text();
            }
        }
    }

    fn open_xml(&mut self, name: &[u8]) {
        self.labelled = false;
        if self.depths.len() >= DEPTH {
            self.beyond += 1;
            return;
        }
        self.depths.push(self.path.depth());
        self.path.push_name(name);
        let local =
            memchr::memrchr(b':', name).map_or(name, |at| name.get(at + 1..).unwrap_or(name));
        let generic = GENERIC
            .iter()
            .any(|known| known.eq_ignore_ascii_case(local));
        if generic && !self.label.is_empty() {
            self.path.push_name(&self.label);
            self.labelled = true;
        }
    }

    fn open_html(&mut self, name: &[u8]) {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("table") || is("dl") {
            self.table = Table::default();
        } else if is("tr") {
            self.table.end_row();
        } else if is("th") || is("dt") {
            self.role = Role::Heading;
            if is("dt") {
                self.table.row.clear();
            }
            self.table.cells += 1;
            self.table.row.push(Box::default());
        } else if is("td") || is("dd") {
            self.role = Role::Cell;
            self.table.data = true;
            self.table.cells += 1;
        } else if is("label") {
            self.role = Role::Label;
        } else if TAKES_LABEL.iter().any(|known| is(known))
            || self.role == Role::Other && BLOCKS.iter().any(|known| is(known))
        {
            self.announced.clear();
        }
        self.name_text();
    }

    fn close_html(&mut self, name: &[u8]) {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("table") || is("dl") {
            self.table = Table::default();
        } else if is("th") || is("dt") || is("td") || is("dd") || is("label") {
            self.role = Role::Other;
        }
        self.name_text();
    }

    /// Gives the text that follows its name.
    fn name_text(&mut self) {
        self.path.truncate(self.base);
        let name = match self.role {
            Role::Cell => self.table.name(),
            Role::Other if !self.announced.is_empty() => Some(self.announced.as_slice()),
            Role::Other | Role::Heading | Role::Label => None,
        };
        if let Some(name) = name {
            self.path.push_name(name);
        }
    }
}

impl Table {
    /// The name of the cell at hand: the heading of its row, or of its column.
    fn name(&self) -> Option<&[u8]> {
        let column = || self.columns.get(self.cells.checked_sub(1)?);
        self.row
            .last()
            .or_else(column)
            .map(AsRef::as_ref)
            .filter(|name: &&[u8]| !name.is_empty())
    }

    fn end_row(&mut self) {
        if !self.data && !self.row.is_empty() && self.row.len() < MOST_COLUMNS {
            self.columns = std::mem::take(&mut self.row);
        }
        self.row.clear();
        self.cells = 0;
        self.data = false;
    }
}

/// Attributes that name what another attribute, or the text, holds; the first that is there counts.
const NAMING: [&[u8]; 6] = [b"name", b"key", b"field", b"property", b"label", b"id"];

/// Attributes that hold such a value.
const VALUES: [&[u8]; 6] = [
    b"value",
    b"content",
    b"default",
    b"data-value",
    b"val",
    b"data",
];

/// XML elements that only their attribute names.
const GENERIC: [&[u8]; 20] = [
    b"entry",
    b"property",
    b"field",
    b"param",
    b"parameter",
    b"item",
    b"string",
    b"setting",
    b"data",
    b"add",
    b"attribute",
    b"input",
    b"value",
    b"var",
    b"variable",
    b"arg",
    b"option",
    b"column",
    b"prop",
    b"attr",
];

/// HTML elements to which the label before them belongs, or that no label names.
const TAKES_LABEL: [&str; 5] = ["input", "select", "button", "script", "style"];

/// HTML elements that begin something new.
const BLOCKS: [&str; 10] = [
    "p", "div", "li", "section", "article", "h1", "h2", "h3", "form", "body",
];

/// Bytes of a text that can be a name.
const LABEL_BYTES: usize = 64;

/// Columns of a table whose headings are kept.
const MOST_COLUMNS: usize = 1024;

/// Levels of XML that the path follows.
const DEPTH: usize = 256;
