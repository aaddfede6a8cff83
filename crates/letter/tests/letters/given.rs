//! Letters to begin with; a test changes what it is about.

use duly_letter::{
    Labels, Letter, LetterDate, LetterError, Letterhead, Logo, Part, Print, SIGNATURE, Sheet, Typeset, Typesetter, escape,
};

pub const LOGO: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 60"><path d="M30 2 54 11V31C54 45 43 54 30 58 17 54 6 45 6 31V11Z" fill="#1d3557"/><path d="M30 14l4.7 9.6 10.6 1.5-7.6 7.5 1.8 10.5-9.5-5-9.5 5 1.8-10.5-7.6-7.5 10.6-1.5Z" fill="#f1faee"/></svg>"##;

/// Somebody's hand, as it is scanned.
pub const SIGNED: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 180 50"><path d="M6 38C18 4 30 2 26 20S12 44 20 40 34 20 42 24 36 40 46 34 54 20 60 24 56 38 66 34 76 22 84 24 80 36 92 34 108 26 120 28 150 30 174 18" fill="none" stroke="#10203f" stroke-width="2.4" stroke-linecap="round"/></svg>"##;

pub const ENGLISH: Labels<'_> = Labels {
    date: "23 November 2026",
    reference: "Your reference",
    page: "Page {page} of {pages}",
    check: "Check that this letter is real",
};

pub const WELSH: Labels<'_> = Labels {
    date: "23 Tachwedd 2026",
    reference: "Eich cyfeirnod",
    page: "Tudalen {page} o {pages}",
    check: "Gwiriwch fod y llythyr hwn yn ddilys",
};

const TEXT: &str = include_str!("text.en.typ");
const TEXT_CY: &str = include_str!("text.cy.typ");

/// A letter that owns what it says.
#[derive(Clone)]
pub struct Given {
    pub sheet: Sheet,
    pub print: Print,
    pub discreet: bool,
    pub lines: Vec<String>,
    pub logo: Option<(Vec<u8>, String)>,
    pub signature: Option<(Vec<u8>, String)>,
    pub address: Vec<String>,
    pub code: String,
    pub check_page: Option<String>,
    pub language: String,
    pub title: String,
    pub body: String,
    pub labels: Labels<'static>,
    pub welsh: Option<String>,
}

pub fn lines(text: &[&str]) -> Vec<String> {
    text.iter().map(|l| (*l).to_owned()).collect()
}

/// To a person: standard print on A4, with logo and QR code.
pub fn letter_to(name: &str) -> Given {
    Given {
        sheet: Sheet::A4,
        print: Print::Standard,
        discreet: false,
        lines: lines(&["Northmere Police", "Data Protection Office", "1 Station Road", "Northmere", "NE1 4XF"]),
        logo: Some((LOGO.into(), "Badge of Northmere Police".to_owned())),
        signature: None,
        address: lines(&[name, "14 Orchard Terrace", "Flat 2", "Northmere", "NE3 7QD"]),
        code: "7K4T-9QXM-3W".to_owned(),
        check_page: Some("https://northmere.police.uk/check".to_owned()),
        language: "en-GB".to_owned(),
        title: "Your personal data: what happened and what you can do".to_owned(),
        body: TEXT.replace("{name}", &escape(name)),
        labels: ENGLISH,
        welsh: None,
    }
}

/// A letter of one sentence: names are what it is about.
pub fn note_to(name: &str) -> Given {
    let body = format!("Dear {},\n\nWe are writing to tell you what happened.", escape(name));
    Given { body, ..letter_to(name) }
}

/// Every kind of letter that there is.
pub fn kinds() -> Vec<(&'static str, Given)> {
    let name = "Siân O’Brien-Łukasiewicz";
    let given = letter_to(name);
    let us = Given { sheet: Sheet::UsLetter, language: "en-US".to_owned(), ..given.clone() };
    let bilingual = Given {
        language: "cy".to_owned(),
        title: "Eich data personol: beth ddigwyddodd a beth gallwch chi ei wneud".to_owned(),
        body: TEXT_CY.replace("{name}", &escape(name)),
        labels: WELSH,
        welsh: Some(given.body.clone()),
        ..given.clone()
    };
    vec![
        ("a4", given.clone()),
        ("a4-signed", signed(given.clone())),
        ("a4-signed-large", signed(Given { print: Print::Large, ..given.clone() })),
        ("us-letter-signed", signed(us.clone())),
        ("a4-plain", Given { logo: None, check_page: None, ..given.clone() }),
        ("a4-large", Given { print: Print::Large, ..given.clone() }),
        ("a4-easy", Given { print: Print::Easy, ..given.clone() }),
        ("a4-discreet", Given { discreet: true, ..given }),
        ("us-letter", us.clone()),
        ("us-letter-large", Given { print: Print::Large, ..us.clone() }),
        ("us-letter-discreet", Given { discreet: true, ..us }),
        ("a4-bilingual", bilingual.clone()),
        ("a4-bilingual-large", Given { print: Print::Large, ..bilingual }),
        ("a4-arabic-name", letter_to("محمد عبد الرحمن الهاشمي")),
        ("a4-seven-lines", Given { address: seven_lines(), ..letter_to(name) }),
    ]
}

/// With a picture of a signature above the name.
pub fn signed(given: Given) -> Given {
    let body = given.body.replace("Yours sincerely,\n", &format!("Yours sincerely,\n\n{SIGNATURE}\n"));
    assert_ne!(body, given.body, "the text has a closing");
    Given { body, signature: Some((SIGNED.into(), "Signature of Ruth Amis".to_owned())), ..given }
}

pub fn seven_lines() -> Vec<String> {
    lines(&[
        "Mx Oluwaseun Adeyemi",
        "c/o The Warden",
        "Flat 12, Gatehouse Court",
        "14–16 Orchard Terrace",
        "Highgate",
        "Northmere",
        "NE3 7QD",
    ])
}

impl Given {
    pub fn letter(&self) -> Letter<'_> {
        let part = Part { language: &self.language, title: &self.title, labels: self.labels, body: &self.body };
        let english = |body| Part {
            language: "en-GB",
            title: "Your personal data: what happened and what you can do",
            labels: ENGLISH,
            body,
        };
        Letter {
            sheet: self.sheet,
            print: self.print,
            letterhead: Letterhead {
                lines: &self.lines,
                logo: self.logo.as_ref().map(|(bytes, alt)| Logo { bytes, alt }),
                signature: self.signature.as_ref().map(|(bytes, alt)| Logo { bytes, alt }),
                discreet: self.discreet,
            },
            address: &self.address,
            reference_code: &self.code,
            check_page: self.check_page.as_deref(),
            date: LetterDate { year: 2026, month: 11, day: 23 },
            part,
            translation: self.welsh.as_deref().map(english),
            ident: &self.code,
        }
    }

    pub fn typeset(&self) -> Result<Typeset, LetterError> {
        Typesetter::new()?.typeset(&self.letter())
    }

    /// The code with which the letter is refused.
    pub fn refusal(&self) -> &'static str {
        self.typeset().err().map_or("printed", |error| error.code())
    }
}
