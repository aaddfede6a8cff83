//! A report before it has a form: headings, figures, tables and charts, from which text, HTML and PDF are made alike.

mod html;
mod pdf;
mod plain;

pub use html::html;
pub use pdf::pdf;
pub use plain::{figure, text};

/// A report.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Document {
    /// Heading.
    pub title: String,
    /// One or two sentences that say the most important thing.
    pub lead: String,
    /// The moment that it speaks of: year, month, day.
    pub date: (i32, u8, u8),
    /// What it is about and rests on.
    pub about: Vec<(String, String)>,
    /// Its parts.
    pub sections: Vec<Section>,
    /// What stands below everything.
    pub foot: String,
}

/// A part of a report.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Section {
    /// Heading.
    pub heading: String,
    /// Content.
    pub blocks: Vec<Block>,
}

/// How a figure is meant; each has a colour and a pattern of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// Told.
    Told,
    /// Under way.
    Way,
    /// Waits, or ended otherwise.
    Wait,
    /// Failed or unreachable.
    Fail,
}

impl Tone {
    /// Class name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::Way => "way",
            Self::Wait => "wait",
            Self::Fail => "fail",
        }
    }
}

/// A piece of a part.
#[derive(Debug, Clone, serde::Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Block {
    /// A paragraph.
    Text {
        /// It.
        text: String,
    },
    /// Points.
    List {
        /// They.
        items: Vec<String>,
    },
    /// Names and values.
    Facts {
        /// They.
        facts: Vec<(String, String)>,
    },
    /// A table.
    Table {
        /// What it shows.
        caption: String,
        /// Headings of the columns.
        head: Vec<String>,
        /// Rows.
        rows: Vec<Vec<String>>,
        /// Columns of figures.
        right: Vec<usize>,
    },
    /// Parts of a whole, drawn to scale.
    Bar {
        /// What it shows.
        caption: String,
        /// Words, figure and meaning.
        parts: Vec<(String, u64, Tone)>,
    },
    /// A figure for each day, drawn to scale.
    Days {
        /// What it shows.
        caption: String,
        /// Day and figure.
        days: Vec<(String, u64)>,
    },
    /// The wording of something, as it was.
    Copy {
        /// What it is.
        caption: String,
        /// The wording.
        text: String,
    },
    /// Lines to sign on.
    Signature {
        /// What stands under each.
        lines: Vec<String>,
    },
}

impl Section {
    /// An empty part.
    pub fn new(heading: &str) -> Self {
        Self { heading: heading.to_owned(), blocks: Vec::new() }
    }

    /// Adds a paragraph.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.blocks.push(Block::Text { text: text.into() });
        self
    }

    /// Adds points.
    pub fn list<S: Into<String>>(mut self, items: impl IntoIterator<Item = S>) -> Self {
        self.blocks.push(Block::List { items: items.into_iter().map(Into::into).collect() });
        self
    }

    /// Adds names and values.
    pub fn facts(mut self, facts: Vec<(String, String)>) -> Self {
        self.blocks.push(Block::Facts { facts });
        self
    }

    /// Adds a table, if it has rows.
    pub fn table(mut self, caption: &str, head: &[&str], rows: Vec<Vec<String>>, right: &[usize]) -> Self {
        if !rows.is_empty() {
            let head = head.iter().map(|&h| h.to_owned()).collect();
            self.blocks.push(Block::Table { caption: caption.to_owned(), head, rows, right: right.to_vec() });
        }
        self
    }

    /// Adds any piece.
    pub fn block(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }
}
