//! Words that a letter's layout prints around the text, in the languages in which Duly knows them.

use duly_letter::Labels;

/// Language, months, and what stands before a reference, a page's number and the check page.
struct Words {
    language: &'static str,
    /// `{day}`, `{month}`, `{year}`.
    date: &'static str,
    months: [&'static str; 12],
    reference: &'static str,
    page: &'static str,
    check: &'static str,
}

#[rustfmt::skip]
const ALL: &[Words] = &[
    Words {
        language: "en",
        date: "{day} {month} {year}",
        months: ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"],
        reference: "Your reference",
        page: "Page {page} of {pages}",
        check: "How to check that this letter is real",
    },
    Words {
        language: "cy",
        date: "{day} {month} {year}",
        months: ["Ionawr", "Chwefror", "Mawrth", "Ebrill", "Mai", "Mehefin", "Gorffennaf", "Awst", "Medi", "Hydref", "Tachwedd", "Rhagfyr"],
        reference: "Eich cyfeirnod",
        page: "Tudalen {page} o {pages}",
        check: "Sut i wirio bod y llythyr hwn yn ddilys",
    },
    Words {
        language: "fr",
        date: "{day} {month} {year}",
        months: ["janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"],
        reference: "Votre référence",
        page: "Page {page} sur {pages}",
        check: "Comment vérifier que cette lettre est authentique",
    },
    Words {
        language: "es",
        date: "{day} de {month} de {year}",
        months: ["enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"],
        reference: "Su referencia",
        page: "Página {page} de {pages}",
        check: "Cómo comprobar que esta carta es auténtica",
    },
    Words {
        language: "de",
        date: "{day}. {month} {year}",
        months: ["Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"],
        reference: "Ihr Zeichen",
        page: "Seite {page} von {pages}",
        check: "So prüfen Sie, ob dieser Brief echt ist",
    },
    Words {
        language: "pl",
        date: "{day} {month} {year}",
        months: ["stycznia", "lutego", "marca", "kwietnia", "maja", "czerwca", "lipca", "sierpnia", "września", "października", "listopada", "grudnia"],
        reference: "Numer sprawy",
        page: "Strona {page} z {pages}",
        check: "Jak sprawdzić, czy ten list jest prawdziwy",
    },
];

fn words(language: &str) -> Option<&'static Words> {
    let primary = language.split('-').next().unwrap_or_default();
    ALL.iter().find(|words| words.language == primary)
}

/// Whether a letter can be laid out in a language: never with another one's words around it.
pub fn knows(language: &str) -> bool {
    words(language).is_some()
}

/// The region in whose manner a profile's people read dates: `GB` of `uk-gdpr`; `None` where it has none.
pub fn region(profile: &str) -> Option<&'static str> {
    [("uk-", "GB"), ("us-", "US"), ("ca-", "CA"), ("au-", "AU")]
        .into_iter()
        .find_map(|(start, region)| profile.starts_with(start).then_some(region))
}

/// A language of a letter with its region: `en-GB`. Welsh is Welsh everywhere.
pub fn tag(language: &str, profile: &str) -> String {
    match region(profile).filter(|_| language == "en") {
        Some(region) => format!("{language}-{region}"),
        None => language.to_owned(),
    }
}

/// A date as it is read in that language, in North America with the month first. A language that is not known reads
/// English.
pub fn date((year, month, day): (i32, u8, u8), language: &str, profile: &str) -> String {
    let words = words(language).unwrap_or(&ALL[0]);
    let form = match (words.language, region(profile)) {
        ("en", Some("US" | "CA")) => "{month} {day}, {year}",
        _ => words.date,
    };
    // In French the first is the only day of a month that is counted.
    let day = if words.language == "fr" && day == 1 { "1er".to_owned() } else { day.to_string() };
    let month = words.months[usize::from(month.clamp(1, 12)) - 1];
    form.replace("{day}", &day).replace("{month}", month).replace("{year}", &year.to_string())
}

/// Each way in which some language writes a date.
pub fn dates(day: (i32, u8, u8)) -> impl Iterator<Item = String> {
    let profiles = ["", "us-"];
    ALL.iter().flat_map(move |words| profiles.map(|profile| date(day, words.language, profile)))
}

/// The labels of a letter whose date is `date`.
pub fn labels<'a>(language: &str, date: &'a str) -> Labels<'a> {
    let words = words(language).unwrap_or(&ALL[0]);
    Labels { date, reference: words.reference, page: words.page, check: words.check }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_reads_as_its_readers_write_it() {
        let day = (2026, 11, 9);
        assert_eq!(date(day, "en", "uk-gdpr"), "9 November 2026");
        assert_eq!(date(day, "en", "us-ca"), "November 9, 2026");
        assert_eq!(date(day, "en", "ca-pipeda"), "November 9, 2026");
        assert_eq!(date(day, "en", "au-ndb"), "9 November 2026");
        assert_eq!(date(day, "cy", "uk-gdpr"), "9 Tachwedd 2026");
        assert_eq!(date(day, "es", "us-ca"), "9 de noviembre de 2026");
        assert_eq!(date((2026, 12, 1), "fr", "eu-gdpr"), "1er décembre 2026");
        assert_eq!(date(day, "pl", "uk-gdpr"), "9 listopada 2026");
        assert_eq!((tag("en", "us-ca"), tag("en", "eu-gdpr"), tag("cy", "uk-gdpr")), ("en-US".into(), "en".into(), "cy".into()));
    }

    #[test]
    fn each_language_says_all_that_a_page_needs() {
        for words in ALL {
            assert!(words.page.contains("{page}") && words.page.contains("{pages}"), "{}", words.language);
            assert!(["{day}", "{month}", "{year}"].iter().all(|part| words.date.contains(part)), "{}", words.language);
        }
        assert!(knows("en-GB") && !knows("xx"));
    }
}
