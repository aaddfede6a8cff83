//! Each pattern of words has a sentence that it finds and a neighbour that it leaves alone.

use super::super::abroad::ALL;
use super::wording::{JARGON, PRESSES, Patterns, SAMPLES, SELLS};
use super::*;

/// What a pattern finds, and what reads much like it and is fine; in the patterns' own order.
type Pair = (&'static str, &'static str);

const SAMPLE: &[Pair] = &[
    ("We lost [what was lost] on that day.", "We lost it (all of it) on that day."),
    ("The rest is TBC.", "The rest is in the tubs."),
    (concat!("TO", "DO ask the lawyers."), "What to do is up to you."),
    ("It happened on XXX.", "It happened in hall XX."),
    ("Lorem ipsum dolor sit amet.", "The ship Lorem was there."),
    ("This is sample text.", "We took a sample."),
    ("Insert your name here.", "You can insert a card."),
    ("Write to help at example.com.", "That is an example."),
    ("Dear Jo Example.", "An example helps."),
    ("Sign here ______ please.", "Wait... we will call."),
];
const TRADE: &[Pair] = &[
    ("The file was exfiltrated.", "The file was filtered."),
    ("A threat actor has it.", "An actor made a threat."),
    ("The threat vector was a mail.", "The threat came by mail."),
    ("We tell all data subjects.", "The subject is your data."),
    ("It had personally identifiable information.", "It had personal facts."),
    ("It had PII in it.", "It had pills in it."),
    ("A malicious actor did it.", "Somebody malicious did it."),
    ("Our incident response began.", "We answered at once."),
    ("We remediated it.", "We have a remedy."),
    ("We mitigated it.", "We made it less bad."),
    ("We hereby tell you.", "Here we tell you."),
    ("They utilised a password.", "The utility was shut."),
    ("In the event of fire, go out.", "It was a big event."),
];
const SALES: &[Pair] = &[
    ("Read our newsletter.", "Read our letter of news."),
    ("You can unsubscribe here.", "You did not subscribe to it."),
    ("Look at our new app.", "We have a new server."),
    ("A special offer waits.", "We offer help."),
    ("You get 10% off.", "We lost 10% of the files."),
    ("There is a discount.", "We do not count this."),
    ("Follow us on the web.", "Follow these steps."),
    ("Download our app.", "Somebody could download the file."),
    ("Refer a friend.", "We refer to a file."),
    ("Upgrade today.", "We had an upgrade of the server."),
    ("As a valued customer you know.", "We value you."),
    ("Rydych yn gwsmer, cwsmer gwerthfawr.", "Rydych yn gwsmer."),
];
const PRESSURE: &[Pair] = &[
    ("This is urgent.", "The surgent tide was high."),
    ("Call immediately.", "Call when you can."),
    ("Act now.", "We act on it."),
    ("Call as soon as possible.", "Call soon."),
    ("Call within 24 hours.", "The line is open 24 hours."),
    ("This is the final notice.", "This is our notice."),
    ("Your account will be closed.", "Your account is open."),
    ("Failure to call is bad.", "The power had a failure."),
    ("Call us!!", "Call us!"),
    ("WARNING to all.", "We warned all."),
];
const SALES_ABROAD: &[(&str, &[Pair])] = &[
    (
        "de",
        &[
            ("Sie bekommen Rabatt.", "Sie bekommen Hilfe."),
            ("Das ist ein Sonderangebot.", "Das ist ein Angebot von uns."),
            ("Bitte folgen Sie uns.", "Bitte folgen Sie dem Rat."),
            ("Das sind unsere neuen Produkte.", "Das sind unsere neuen Regeln."),
        ],
    ),
    (
        "fr",
        &[
            ("Suivez-nous partout.", "Suivez ce conseil."),
            ("Voici une offre exclusive.", "Nous vous offrons de l'aide."),
            ("C'est une promotion.", "C'est une promesse."),
            ("Voici nos nouveaux services.", "Voici nos nouvelles mesures."),
        ],
    ),
    (
        "es",
        &[
            ("Hay un descuento.", "Hay una cuenta."),
            ("Es una oferta especial.", "Es una medida especial."),
            ("Puede usted, síganos.", "Puede usted seguir."),
            ("Son nuestros nuevos productos.", "Son nuestros nuevos pasos."),
        ],
    ),
    (
        "pl",
        &[
            ("Mamy rabaty.", "Mamy radę."),
            ("To jest promocja.", "To jest pomoc."),
            ("Obserwuj nas.", "Obserwuj konto."),
            ("To nasze nowe produkty.", "To nasze nowe zasady."),
        ],
    ),
];
const PRESSURE_ABROAD: &[(&str, &[Pair])] = &[
    (
        "de",
        &[
            ("Das ist dringend.", "Das ist wichtig."),
            ("Rufen Sie sofort an.", "Rufen Sie gern an."),
            ("Das ist die letzte Warnung.", "Das ist die letzte Seite."),
            ("Ihr Konto wird gesperrt.", "Ihr Konto ist offen."),
        ],
    ),
    (
        "fr",
        &[
            ("C'est urgent.", "C'est important."),
            ("Appelez immédiatement.", "Appelez quand vous voulez."),
            ("C'est le dernier avis.", "C'est le dernier jour."),
            ("Votre compte sera fermé.", "Votre compte est ouvert."),
        ],
    ),
    (
        "es",
        &[
            ("Es urgente.", "Es importante."),
            ("Llame inmediatamente.", "Llame cuando quiera."),
            ("Es el último aviso.", "Es el último día."),
            ("Ahora su cuenta será cerrada.", "Ahora su cuenta está abierta."),
        ],
    ),
    (
        "pl",
        &[
            ("To jest pilne.", "To jest plik."),
            ("Proszę natychmiast dzwonić.", "Proszę spokojnie dzwonić."),
            ("To ostatnie ostrzeżenie.", "To ostatnia strona."),
            ("Państwa konto zostanie zablokowane.", "Państwa konto zostanie otwarte."),
        ],
    ),
];

/// Which of some rules a sentence in the advice of a message breaks.
fn said(case: &Case, sentence: &str, rule: &str) -> usize {
    let mut case = case.clone();
    let language = case.template.languages[0].clone();
    match language.as_str() {
        "en" => says(&mut case, sentence),
        _ => {
            let advice = format!("{} {sentence}", case.texts[&language]["advice"].as_str().unwrap());
            case.texts[&language]["advice"] = json!(advice);
        }
    }
    run(&case).iter().filter(|f| f.rule == rule).count()
}

fn try_each(rule: &str, case: &Case, patterns: &Patterns, pairs: &[Pair]) {
    assert_eq!(pairs.len(), patterns.each.len(), "{rule}: each pattern has a pair of its own");
    for (pattern, (bad, good)) in patterns.each.iter().zip(pairs) {
        let finds = |sentence: &str| pattern.is_match(Reading::of(sentence).plain().as_bytes());
        assert!(finds(bad) && !finds(good), "{rule}: {pattern} and `{bad}`, `{good}`");
        // An English pattern may find the same word.
        assert!(said(case, bad, rule) > 0 && said(case, good, rule) == 0, "{rule}: `{bad}`, `{good}`");
    }
}

#[test]
fn each_pattern_of_words_finds_its_own_and_leaves_a_neighbour_alone() {
    let [letter, sms] = [LETTER, SMS].map(|kind| case("uk-gdpr", kind.0, kind.1));
    try_each("C093", &letter, &SAMPLES, SAMPLE);
    try_each("C031", &letter, &JARGON, TRADE);
    try_each("C040", &letter, &SELLS, SALES);
    try_each("C054", &sms, &PRESSES, PRESSURE);
}

#[test]
fn each_pattern_of_another_language_does_the_same() {
    for words in ALL.iter() {
        let of = |channel: Channel| {
            let is_it = |case: &Case| {
                let t = &case.template;
                t.profile == "eu-gdpr" && t.languages == [words.language] && t.channel == channel && t.content == Content::Full
            };
            shipped().find(is_it).unwrap()
        };
        let pairs = |all: &[(&str, &'static [Pair])]| all.iter().find(|(language, _)| *language == words.language).unwrap().1;
        try_each("C040", &of(Channel::Letter), &words.sells, pairs(SALES_ABROAD));
        try_each("C054", &of(Channel::Sms), &words.presses, pairs(PRESSURE_ABROAD));
    }
    assert_eq!((ALL.len(), SALES_ABROAD.len(), PRESSURE_ABROAD.len()), (4, 4, 4));
}
