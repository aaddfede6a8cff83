//! Messages in German, French, Spanish and Polish: what is wrong in them is found, and what is right is not taken for wrong.

use super::*;
use crate::render::check::readability::not_measured;

const LANGUAGES: [&str; 4] = ["de", "fr", "es", "pl"];

fn draft(language: &str, channel: Channel) -> Case {
    let of = |case: &Case| {
        let t = &case.template;
        t.profile == "eu-gdpr" && t.languages == [language] && t.channel == channel && t.content == Content::Full
    };
    shipped().find(of).unwrap()
}

/// Replaces a text of the language's own table.
fn says(case: &mut Case, name: &str, text: &str) {
    let language = case.template.languages[0].clone();
    case.texts[language][name] = json!(text);
}

#[test]
fn what_is_wrong_in_another_language_is_found_and_nothing_else() {
    let bad = [
        ("de", SMS, "C053", "Bitte nennen Sie uns Ihr Passwort. Danach ist alles wieder in Ordnung."),
        ("de", LETTER, "C053", "Bitte bestätigen Sie Ihre Bankdaten, damit wir Sie kennen."),
        ("de", SMS, "C054", "Rufen Sie uns sofort an, damit wir mit Ihnen sprechen können."),
        ("de", LETTER, "C040", "Wir geben Ihnen zehn Prozent Rabatt auf alles, was Sie kaufen."),
        ("fr", SMS, "C053", "Merci. Envoyez-nous votre date de naissance pour vérifier."),
        ("fr", SMS, "C054", "Appelez-nous immédiatement, nous vous aiderons avec plaisir."),
        ("fr", LETTER, "C040", "Suivez-nous sur les réseaux pour être au courant de tout."),
        ("es", LETTER, "C053", "Para comprobarlo, confirme su número de tarjeta con nosotros."),
        ("es", SMS, "C054", "Llame inmediatamente a este número para hablar con nosotros."),
        ("es", LETTER, "C040", "Le hacemos un descuento en todos los servicios de la policía."),
        ("pl", SMS, "C053", "Proszę podać hasło, żeby sprawdzić konto w naszym systemie."),
        ("pl", SMS, "C054", "To jest pilne, proszę zadzwonić do nas pod znany numer."),
        ("pl", LETTER, "C040", "W tym miesiącu mamy rabaty dla wszystkich mieszkańców miasta."),
        ("de", LETTER, "C051", "Einzelheiten lesen Sie auf unserer Seite northmere-hilfe.de nach."),
        ("fr", SMS, "C050", "Les détails sont sur la page www.northmere.example pour vous."),
    ];
    for (language, kind, rule, advice) in bad {
        let mut case = draft(language, kind.0);
        assert_eq!(but_long(&run(&case)), Vec::<&str>::new(), "{language}: {:#?}", run(&case));
        says(&mut case, "advice", advice);
        assert_eq!(but_long(&run(&case)), [rule], "{advice}: {:#?}", run(&case));
    }
}

#[test]
fn a_warning_that_nobody_will_ask_is_none_of_these() {
    for (language, advice) in [
        ("de", "Antworten Sie nie auf eine Nachricht, die nach Ihrem Passwort oder Ihren Bankdaten fragt."),
        ("fr", "Ne donnez jamais votre mot de passe à quelqu'un qui vous appelle."),
        ("es", "Nunca facilite su contraseña ni sus datos bancarios a quien le llame."),
        ("pl", "Proszę nigdy nie podawać nikomu hasła. Nie podaj go także nam."),
    ] {
        let mut case = draft(language, Channel::Sms);
        says(&mut case, "advice", advice);
        assert_eq!(but_long(&run(&case)), Vec::<&str>::new(), "{advice}");
    }
}

#[test]
fn a_text_in_the_wrong_language_is_found_in_each() {
    let whose = |language: &str| EXAMPLES[language]["measures"].as_str().unwrap().to_owned();
    let english = EXAMPLES["measures"].as_str().unwrap().to_owned();
    for language in LANGUAGES {
        for other in LANGUAGES.into_iter().filter(|other| *other != language).map(whose).chain([english.clone()]) {
            let mut case = draft(language, Channel::Letter);
            says(&mut case, "measures", &other);
            assert_eq!(ids(&run(&case)), ["C070"], "{language}: {other}");
        }
        let mut case = case("eu-gdpr", Channel::Letter, Content::Full);
        case.texts["measures"] = json!(whose(language));
        assert_eq!(ids(&run(&case)), ["C070"], "en: {language}");
    }
}

#[test]
fn a_document_prints_its_own_table_and_no_explanation_of_another_language() {
    let mut case = draft("de", Channel::Letter);
    assert!(!rendered(&case).contains("supplier") && rendered(&case).contains("Mary Holt"));
    case.texts["de"].as_object_mut().unwrap().remove("dates");
    assert!(!rendered(&case).contains("It was copied"), "{}", rendered(&case));
    assert_eq!(ids(&run(&case)), ["C004"]);
    // A controller who writes one language has no table for it.
    case.texts["nature"] = EXAMPLES["de"]["nature"].as_str().unwrap().into();
    case.texts.as_object_mut().unwrap().remove("de");
    assert!(rendered(&case).contains("Personalnummern"));
}

#[test]
fn a_contact_without_a_name_is_found_where_every_noun_has_a_capital() {
    for (language, nobody) in [("de", "unser Büro"), ("fr", "notre bureau"), ("es", "nuestra oficina"), ("pl", "nasze biuro")] {
        let mut case = draft(language, Channel::Letter);
        says(&mut case, "dpo_name", nobody);
        assert_eq!(ids(&run(&case)), ["C090"], "{language}");
    }
}

/// 0911 is Nuremberg, and 09 72 is any French number: what costs in one country is a town in another.
#[test]
fn a_number_costs_by_the_country_whose_law_it_is() {
    for (number, found) in [("0911 2345678", "C055"), ("0900 123 4567", "C055"), ("09 72 12 34 56", "C055")] {
        let mut case = draft("de", Channel::Letter);
        says(&mut case, "dpo_contact", number);
        assert_eq!(ids(&run(&case)), [found], "{number} was not published");
        case.texts["published"]["phones"].as_array_mut().unwrap().push(json!(number));
        let is_free = ids(&run(&case)).is_empty();
        assert_eq!(is_free, !number.starts_with("0900"), "{number}");
    }
    let mut british = case("uk-gdpr", Channel::Letter, Content::Full);
    british.texts["dpo_contact"] = json!("0911 234 5678");
    british.texts["published"]["phones"].as_array_mut().unwrap().push(json!("0911 234 5678"));
    assert_eq!(ids(&run(&british)), ["C055"]);
}

/// Flesch and Kincaid's formula is made for English: other words are neither hard nor easy by it, and it is said so.
#[test]
fn how_hard_another_language_reads_is_not_measured_and_said_so() {
    let long = "Ungeachtet der zuvor beschriebenen organisatorischen Gegenmaßnahmen wurden erhebliche Datenbestände über \
                Beschäftigungsverhältnisse und Identifikationsunterlagen von unberechtigten Dritten und deren \
                Verbindungspersonen vervielfältigt, weitergegeben und in unübersichtlichen Zusammenhängen veröffentlicht, \
                was umfangreiche Überprüfungsnotwendigkeiten hinsichtlich der Vertraulichkeitsverpflichtungen begründet.";
    let mut case = draft("de", Channel::Letter);
    says(&mut case, "nature", long);
    assert_eq!(ids(&run(&case)), Vec::<&str>::new());
    let said = |languages: &[&str]| not_measured(&languages.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>());
    assert!(said(&["de"]).unwrap().contains("`de` (C030, C031)"));
    assert!(said(&["cy", "en"]).unwrap().contains("`cy` ("));
    assert_eq!((said(&["en"]), said(&["en-GB"])), (None, None));
}
