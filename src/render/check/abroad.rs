//! Words that sell, press or ask for secrets in German, French, Spanish and Polish: looked for in documents in these
//! languages alone, where an English word may be another one. Letters beyond ASCII are `.` here.

use super::Subject;
use super::asks::Asking;
use super::wording::Patterns;
use std::sync::LazyLock;

/// The words of one language.
pub(super) struct Words {
    pub language: &'static str,
    /// Nothing else travels with a notice.
    pub sells: Patterns,
    /// What a forger writes in a text message.
    pub presses: Patterns,
    /// A demand for a secret or for data, within one sentence, and what makes it a warning.
    pub asking: Asking,
}

impl Words {
    fn new(language: &'static str, sells: &[&str], presses: &[&str], asks: [&str; 2], [denies, turns]: [&str; 2]) -> Self {
        Self {
            language,
            sells: Patterns::new(sells),
            presses: Patterns::new(presses),
            asking: Asking::new(asks, denies, &format!(r"\b(?:{turns})\s+$")),
        }
    }
}

pub(super) static ALL: LazyLock<[Words; 4]> = LazyLock::new(|| {
    [
        Words::new(
            "de",
            &[r"\bRabatte?n?\b", r"\bSonderangebote?n?\b", r"\bfolgen Sie uns\b", r"\bunsere neuen? (Produkte?|App|Dienste?)\b"],
            &[
                r"\bdringend\b",
                r"\bsofort\b",
                r"\bletzte (Mahnung|Warnung)\b",
                r"\bIhr Konto (wird|wurde) (gesperrt|geschlossen)\b",
            ],
            [
                r"antworten|senden|schicken|geben Sie|nennen Sie|best.tigen|teilen Sie",
                r"Passwort|Kennwort|PIN\b|TAN\b|Bankdaten|Kontonummer|Kartennummer|Geburtsdatum",
            ],
            ["nie|niemals|nicht|keine?[mnrs]?|niemand", "und|aber|sondern|bitte|bevor|bis"],
        ),
        Words::new(
            "fr",
            &[
                r"\bsuivez-nous\b",
                r"\boffres? (sp.ciales?|exclusives?)\b",
                r"\bpromotions?\b",
                r"\bnos nouveaux (produits|services)\b",
            ],
            &[r"\burgents?\b", r"\bimm.diatement\b", r"\bdernier (avis|rappel)\b", r"\bvotre compte (sera|a .t.) (ferm.|bloqu.)"],
            [
                r"r.pondez|envoyez|saisissez|confirmez|donnez|communiquez|indiquez",
                r"mots? de passe|codes? (PIN|confidentiel|secret)|coordonn.es bancaires|num.ro de (carte|compte)|date de naissance",
            ],
            ["jamais|ne|n'|pas|aucune?", "et|mais|puis|veuillez"],
        ),
        Words::new(
            "es",
            &[
                r"\bdescuentos?\b",
                r"\bofertas? (especial|exclusiva)",
                r"\bs.ganos\b",
                r"\bnuestros nuevos (productos|servicios)\b",
            ],
            &[r"\burgentes?\b", r"\binmediatamente\b", r"\b.ltimo aviso\b", r"\bsu cuenta (ser.|ha sido) (cerrada|bloqueada)\b"],
            [
                r"responda|env.e|introduzca|confirme|facilite|indique|proporcione",
                r"contrase.a|PIN\b|datos bancarios|n.mero de (tarjeta|cuenta)|fecha de nacimiento",
            ],
            ["nunca|no|jam.s|nadie", "y|pero|por favor"],
        ),
        Words::new(
            "pl",
            &[r"\brabat\w*", r"\bpromocj\w+", r"\bobserwuj(cie)? nas\b", r"\bnasze nowe (produkty|us.ugi)\b"],
            &[r"\bpilne\b", r"\bnatychmiast\b", r"\bostatnie ostrze.enie\b", r"\bkonto zosta(nie|.o) (zablokowane|zamkni.te)\b"],
            [
                r"poda.|podaj|wys.a.|wy.lij|potwierdzi.|potwierd.|wpisa.|wpisz",
                r"has.[oa]\b|PIN\b|dane bankowe|numer (karty|konta)|dat. urodzenia|PESEL\b",
            ],
            ["nie|nigdy|nikt", "i|ale|prosz."],
        ),
    ]
});

/// Those of the languages of a document.
pub(super) fn of<'a>(subject: &'a Subject<'_>) -> impl Iterator<Item = &'static Words> + use<'a> {
    let languages = subject.languages;
    let is_english = languages.iter().all(|language| language == "en");
    let all = (!is_english).then(|| ALL.iter());
    all.into_iter().flatten().filter(|words| languages.iter().any(|l| l.split('-').next() == Some(words.language)))
}
