//! What Typst may read: a static source, this person's body and data, and the fonts of this program. Nothing else.

use crate::Letter;
use typst::diag::{FileError, FileResult};
use typst::foundations::{Bytes, Datetime, Duration};
use typst::syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, World};

const LETTER: &str = include_str!("letter.typ");
const FONTS: [&[u8]; 4] = [
    include_bytes!("../fonts/NotoSans-Regular.ttf"),
    include_bytes!("../fonts/NotoSans-Bold.ttf"),
    include_bytes!("../fonts/NotoSansArabic-Regular.ttf"),
    include_bytes!("../fonts/NotoSansHebrew-Regular.ttf"),
];

pub(crate) struct LetterWorld {
    library: LazyHash<Library>,
    book: LazyHash<FontBook>,
    fonts: Vec<Font>,
    main: Source,
    body: Source,
    data: (FileId, Bytes),
}

fn id(path: &str) -> Option<FileId> {
    // The same few ids for every letter and document: Typst never frees a path, and has room for 65,535.
    Some(RootedPath::new(VirtualRoot::Project, VirtualPath::new(path).ok()?).intern())
}

impl LetterWorld {
    pub(crate) fn new() -> Option<Self> {
        Self::of("/letter.typ", LETTER, "/person.json")
    }

    pub(crate) fn document(source: &'static str, data: &serde_json::Value) -> Option<Self> {
        let mut world = Self::of("/document.typ", source, "/data.json")?;
        world.data.1 = Bytes::new(data.to_string().into_bytes());
        Some(world)
    }

    fn of(path: &str, source: &'static str, data: &str) -> Option<Self> {
        let fonts: Vec<Font> = FONTS.iter().flat_map(|data| Font::iter(Bytes::new(*data))).collect();
        Some(Self {
            library: LazyHash::new(<Library as LibraryExt>::default()),
            book: LazyHash::new(FontBook::from_fonts(&fonts)),
            fonts,
            main: Source::new(id(path)?, source.to_owned()),
            body: Source::new(id("/body.typ")?, String::new()),
            data: (id(data)?, Bytes::new(Vec::<u8>::new())),
        })
    }

    pub(crate) fn set(&mut self, letter: &Letter<'_>) {
        self.body.replace(letter.body);
        let data = serde_json::json!({
            "address": letter.address,
            "sender": letter.sender,
            "reference": letter.reference_code,
            "date": letter.date_text,
            "year": letter.date.year, "month": letter.date.month, "day": letter.date.day,
            "language": letter.language,
            "title": letter.title,
        });
        self.data.1 = Bytes::new(data.to_string().into_bytes());
    }
}

impl World for LetterWorld {
    fn library(&self) -> &LazyHash<Library> {
        &self.library
    }

    fn book(&self) -> &LazyHash<FontBook> {
        &self.book
    }

    fn main(&self) -> FileId {
        self.main.id()
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        [&self.main, &self.body].into_iter().find(|s| s.id() == id).cloned().ok_or(FileError::AccessDenied)
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        if id == self.data.0 { Ok(self.data.1.clone()) } else { Err(FileError::AccessDenied) }
    }

    fn font(&self, index: usize) -> Option<Font> {
        self.fonts.get(index).cloned()
    }

    fn today(&self, _offset: Option<Duration>) -> Option<Datetime> {
        // A letter's date is a field of the plan, never the clock.
        None
    }
}
