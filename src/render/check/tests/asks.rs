//! What asks for a secret: a denial excuses it in the same clause, and nowhere else.

use super::*;

fn said(language: &str, sentence: &str) -> Vec<&'static str> {
    let is_it = |case: &Case| {
        let t = &case.template;
        t.profile == "eu-gdpr" && t.channel == Channel::Letter && t.languages == [language] && t.content == Content::Full
    };
    let mut case = shipped().find(is_it).unwrap();
    match language {
        "en" => says(&mut case, sentence),
        _ => case.texts[language]["advice"] = json!(sentence),
    }
    ids(&run(&case))
}

#[test]
fn a_denial_in_another_clause_excuses_no_demand() {
    for sentence in [
        "Do not wait, confirm your date of birth.",
        "Your account is not safe: send us your PIN.",
        "Your account is not safe; please send us your PIN.",
        "Your data is not safe – send us your PIN.",
        "Your data is not safe - send us your PIN.",
        "Do not delay and confirm your date of birth.",
        "Do not worry but please now send us your bank details.",
        "Your account is not safe and you must confirm your date of birth.",
        "You cannot sign in until you verify your personal details.",
        "We will not write again unless you give us your card number.",
        "If you have not replied yet please confirm your date of birth.",
        "Do not give up, confirm your date of birth.",
        "Reply today, do not wait, with your account number.",
        "Send us your date of birth, never tell us your PIN.",
        "We never sleep (confirm your password).",
        "We have not lost it\n\nEnter your PIN.",
    ] {
        assert_eq!(said("en", sentence), ["C053"], "{sentence}");
    }
    for (language, sentence) in [
        ("de", "Warten Sie bitte nicht, bestätigen Sie uns Ihre Bankdaten."),
        ("de", "Wir sind nicht sicher, wer Sie sind. Rufen Sie nicht an und nennen Sie uns Ihr Passwort."),
        ("fr", "Ne tardez pas, confirmez avec nous votre date de naissance."),
        ("es", "No espere más, confirme con nosotros su fecha de nacimiento."),
        ("pl", "Proszę nie czekać, potwierdź nam swoje hasło jak najszybciej."),
    ] {
        assert_eq!(said(language, sentence), ["C053"], "{sentence}");
    }
}

#[test]
fn a_warning_is_none_however_long_its_list_and_whatever_stands_between() {
    for sentence in [
        "Never give your PIN to anybody.",
        "Please do not send us your date of birth.",
        "Don't reply with your bank details.",
        "Never share, email or confirm your PIN.",
        "We will never phone, email or text you to ask you to confirm your password.",
        "Do not, under any circumstances, send your password to a caller.",
        "Never, even if somebody seems to know you, give your account number.",
        "Nobody from us will call and ask you to confirm your password.",
        "If somebody asks you to confirm your PIN, hang up.",
        "Give nobody your PIN.",
        "Be careful: never reply to a message that says “confirm your PIN”.",
        "If you call us, we will not ask you to give a password, a PIN or your date of birth.",
    ] {
        assert_eq!(said("en", sentence), Vec::<&str>::new(), "{sentence}");
    }
}
